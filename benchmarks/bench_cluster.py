"""Neighbours and clusters beside scikit-learn's: ``python -m benchmarks.bench_cluster [--threads 2]``.

In one process, in turns; each line says what was asked for and what was seen, as in bench_decomposition: a
ratio to the fastest rival (above 1: fastla is faster). Answers are compared before times are taken. A star:
less than was asked for. At the end: how well data with known labels are clustered.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

_threads = sys.argv[sys.argv.index("--threads") + 1] if "--threads" in sys.argv else "1"
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = _threads  # before they are loaded

import numpy as np  # noqa: E402

import fastla  # noqa: E402
from benchmarks.lines import Call, Line, options_of, report  # noqa: E402
from fastla import cluster  # noqa: E402

try:
    from sklearn import cluster as theirs
    from sklearn import datasets
    from sklearn.feature_extraction.image import img_to_graph
    from sklearn.metrics import adjusted_rand_score
    from sklearn.neighbors import NearestNeighbors
except ImportError:
    raise SystemExit(
        "python -m benchmarks.bench_cluster needs scikit-learn: pip install scikit-learn"
    ) from None


def neighbours() -> Iterator[Line]:
    rng = np.random.default_rng(0)
    for m, n, d, dtype in (
        (256, 100_000, 384, np.float32),
        (4000, 20_000, 64, np.float32),
        (4000, 20_000, 64, np.float64),
        (5000, 5000, 2, np.float64),
    ):
        q, x = (rng.standard_normal((c, d)).astype(dtype) for c in (m, n))
        name = f"{m} of {n}x{d} {np.dtype(dtype)}, k=10"
        sort: Call = lambda q=q, x=x: np.argpartition(q @ x.T, -10, axis=1)[:, -10:]  # noqa: E731
        assert np.array_equal(np.sort(sort()), np.sort(fastla.topk(q, x, 10).indices))
        yield Line(
            f"topk, dot, {name}",
            lambda q=q, x=x: fastla.topk(q, x, 10),
            {"argpartition": sort},
            2.0,
        )
        fitted = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(x)
        ours = fastla.topk(q, x, 10, metric="l2")
        assert np.allclose(fitted.kneighbors(q)[0], ours.values, rtol=1e-3)
        brute: Call = lambda q=q, fitted=fitted: fitted.kneighbors(q)  # noqa: E731
        yield Line(
            f"topk, l2, {name}", lambda q=q, x=x: fastla.topk(q, x, 10, metric="l2"),
            {"NearestNeighbors, brute": brute}, 1.2,
        )  # fmt: skip


def means() -> Iterator[Line]:
    rng = np.random.default_rng(0)
    for n, d, k, dtype in (
        (100_000, 64, 10, np.float64),
        (100_000, 64, 10, np.float32),
        (50_000, 2, 8, np.float64),
        (60_000, 784, 10, np.float32),
        (100_000, 32, 100, np.float64),
    ):
        middle = 2 * rng.standard_normal((k, d))
        x = (rng.standard_normal((n, d)) + middle[rng.integers(k, size=n)]).astype(dtype)
        start = x[:k].copy()

        def ours(x: Any = x, k: int = k, start: Any = start) -> Any:
            return cluster.kmeans(x, k, init=start, tol=0, max_iter=20)

        def its(x: Any = x, k: int = k, start: Any = start) -> Any:
            return theirs.KMeans(k, init=start, n_init=1, tol=0, max_iter=20).fit(x)

        assert ours().inertia <= its().inertia_ * (1 + 1e-4)
        yield Line(f"kmeans {n}x{d} {np.dtype(dtype)}, k={k}", ours, {"scikit-learn": its}, 1.0)


def _pixels(height: int, width: int) -> Any:
    """The graph of a grey photograph's pixels."""
    image = datasets.load_sample_image("china.jpg").mean(axis=2) / 255
    rows = np.linspace(0, image.shape[0] - 1, height).astype(int)
    columns = np.linspace(0, image.shape[1] - 1, width).astype(int)
    for axis in (0, 1):
        image = (np.roll(image, 1, axis) + 2 * image + np.roll(image, -1, axis)) / 4
    graph = img_to_graph(image[rows][:, columns])
    graph.data = np.exp(-10 * graph.data / graph.data.std()) + 1e-6
    return graph.tocsr()


def spectral() -> Iterator[Line]:
    for n in (1000, 5000):
        x, _ = datasets.make_moons(n, noise=0.08, random_state=0)
        yield _spectral(f"spectral, {n} moons, neighbours", x, 2, 1.5, affinity="nearest_neighbors")
    digits = datasets.load_digits().data
    yield _spectral("spectral, digits, rbf", digits, 10, 1.5, gamma=1e-3)
    yield _spectral("spectral, digits, neighbours", digits, 10, 1.0, affinity="nearest_neighbors")
    yield _spectral("spectral, 240x240 pixels", _pixels(240, 240), 11, 3.0, affinity="precomputed")


def _spectral(name: str, x: Any, k: int, target: float, **how: Any) -> Line:
    return Line(
        name,
        lambda: cluster.spectral_clustering(x, k, assign_labels="cluster_qr", **how),
        {
            "scikit-learn": lambda: theirs.SpectralClustering(
                k, assign_labels="cluster_qr", random_state=0, **how
            ).fit(x)
        },
        target,
    )


def _quality() -> None:
    print(f"\n{'adjusted Rand index':<44}{'fastla':>8}{'scikit-learn':>14}")
    moons = datasets.make_moons(1000, noise=0.05, random_state=0)
    circles = datasets.make_circles(1000, noise=0.05, factor=0.5, random_state=0)
    digits = datasets.load_digits(return_X_y=True)
    for name, (x, y), k, gamma in (
        ("moons", moons, 2, 30.0),
        ("circles", circles, 2, 30.0),
        ("digits", digits, 10, 1e-3),
    ):
        for affinity in ("nearest_neighbors", "rbf"):
            for assign in ("cluster_qr", "discretize", "kmeans"):
                how = {"affinity": affinity, "gamma": gamma, "assign_labels": assign}
                mine = cluster.spectral_clustering(x, k, **how).labels
                its = theirs.SpectralClustering(k, random_state=0, **how).fit_predict(x)
                shown = [adjusted_rand_score(y, labels) for labels in (mine, its)]
                print(f"{f'{name}, {affinity}, {assign}':<44}{shown[0]:>8.4f}{shown[1]:>14.4f}")


def main() -> None:
    parser = options_of("python -m benchmarks.bench_cluster", __doc__)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    fastla.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    print(f"{options.threads} thread(s)")
    report((neighbours, means, spectral), options.only, options.seconds)
    if not options.only:
        _quality()


if __name__ == "__main__":
    main()
