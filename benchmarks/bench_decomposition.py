"""Decompositions beside scikit-learn's and SciPy's: ``python -m benchmarks.bench_decomposition
[--threads 2]``.

In one process, in turns. Each line says what was asked for and what was seen: a ratio to the fastest
rival (above 1: fastla is faster), or a share of a roof that is measured in the same rounds.
scikit-learn-intelex takes part where it is installed. Answers are compared before times are taken. A
star: less than was asked for.
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
from fastla.decomposition import PCA, pca, svd  # noqa: E402

try:
    import scipy.sparse
    from sklearn import decomposition as theirs
    from sklearn.utils.extmath import randomized_svd
except ImportError:
    raise SystemExit(
        "python -m benchmarks.bench_decomposition needs scikit-learn: pip install scikit-learn"
    ) from None
try:
    from sklearnex import decomposition as intels  # type: ignore[import-not-found]
except ImportError:
    intels = None


def _sloped(shape: tuple[int, int], dtype: Any, strong: int = 50) -> Any:
    """Columns of less and less variance, mixed, so that components are no axes."""
    rng = np.random.default_rng(0)
    some = min(strong, *shape)
    x = rng.standard_normal(shape, dtype=dtype)
    mix = (
        rng.standard_normal((some, shape[1]), dtype=dtype)
        * np.geomspace(5, 0.5, some, dtype=dtype)[:, None]
    )
    x += fastla.matmul(rng.standard_normal((shape[0], some), dtype=dtype), mix)
    x += 3
    return x


def _rivals(x: Any, k: int | float) -> dict[str, Call]:
    found: dict[str, Call] = {"scikit-learn": lambda: theirs.PCA(k, random_state=0).fit(x)}
    if intels is not None and isinstance(k, int):
        found["scikit-learn-intelex"] = lambda: intels.PCA(k, random_state=0).fit(x)
    return found


def components() -> Iterator[Line]:
    for shape, k in (((400, 10304), 40), ((100_000, 256), 30), ((1_000_000, 100), 30)):
        for dtype in (np.float64, np.float32):
            x = _sloped(shape, dtype)
            wanted = theirs.PCA(k, svd_solver="full" if shape[0] < 1000 else "covariance_eigh").fit(
                x
            )
            ours = pca(x, k)
            assert np.allclose(ours.singular_values, wanted.singular_values_, rtol=1e-3), shape
            name = f"pca {shape[0]}x{shape[1]} k={k} {np.dtype(dtype)}"
            yield Line(name, lambda x=x, k=k: pca(x, k), _rivals(x, k), 2.0)
            short = min(shape)
            work = float(shape[0]) * shape[1] * (short + 1)
            yield Line(
                f"{name}, of the roof",
                lambda x=x, k=k: pca(x, k),
                {},
                0.7,
                str(np.dtype(dtype)),
                work,
            )
    x = _sloped((5000, 300), np.float64)
    assert len(pca(x, 0.95).components) == theirs.PCA(0.95, svd_solver="full").fit(x).n_components_
    full = {"scikit-learn, full": lambda: theirs.PCA(0.95, svd_solver="full").fit(x)}
    yield Line("pca 5000x300, 95% of the variance", lambda: pca(x, 0.95), full, 2.0)


def portions() -> Iterator[Line]:
    x = _sloped((100_000, 256), np.float64, 30)

    def ours() -> Any:
        stream = PCA(30)
        for first in range(0, len(x), 1000):
            stream.partial_fit(x[first : first + 1000])
        return stream.result()

    other = theirs.IncrementalPCA(30, batch_size=1000)
    fitted = other.fit(x)
    angles = np.linalg.svd(fastla.matmul(ours().components, fitted.components_.T), compute_uv=False)
    assert angles.min() > 0.999, angles
    yield Line(
        "incremental 100000x256 in thousands", ours, {"scikit-learn": lambda: other.fit(x)}, 8.0
    )


def _worst(a: Any, u: Any, s: Any, vh: Any) -> float:
    """The largest residual of a triplet, beside the largest singular value."""
    right, left = a @ vh.T - u * s, a.T @ u - vh.T * s
    return float(np.sqrt((right**2).sum(axis=0) + (left**2).sum(axis=0)).max() / s[0])


def sparse() -> Iterator[Line]:
    a = scipy.sparse.random(
        100_000, 20_000, density=1e-3, format="csr", rng=np.random.default_rng(0)
    )
    u, s, vh = randomized_svd(a, 100, random_state=0)
    theirs_worst = tol = _worst(a, u, s, vh)
    ours = svd(a, 100, tol=tol)
    while (
        _worst(a, ours.u, ours.s, ours.vh) > theirs_worst or ours.s[-1] < s[-1]
    ):  # no worse by either
        tol *= 0.7
        ours = svd(a, 100, tol=tol)
    yield Line(
        f"svd 100000x20000, 2M entries, k=100, tol {tol:.2g}", lambda: svd(a, 100, tol=tol),
        {"scikit-learn, randomized_svd": lambda: randomized_svd(a, 100, random_state=0)}, 2.0,
    )  # fmt: skip
    from fastla._sparse import SparseMatrix

    m, turned = SparseMatrix.of(a), a.T.tocsr()
    x, y = (np.random.default_rng(0).standard_normal((n, 64)) for n in a.shape[::-1])
    assert np.allclose(m.matmat(x), a @ x) and np.allclose(m.rmatmat(y), turned @ y)
    yield Line("2M entries by 64 columns", lambda: m.matmat(x), {"SciPy": lambda: a @ x}, 2.0)
    yield Line(
        "2M entries, turned, by 64", lambda: m.rmatmat(y), {"SciPy": lambda: turned @ y}, 2.0
    )


def main() -> None:
    parser = options_of("python -m benchmarks.bench_decomposition", __doc__)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    fastla.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    roof = fastla.roof(num_threads=options.threads)
    print(f"{options.threads} thread(s), {roof}")
    report((sparse, components, portions), options.only, options.seconds)


if __name__ == "__main__":
    main()
