"""How much memory decompositions take beside their operand, which may be a file larger than memory."""

import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest

from fastla.decomposition import PCA, pca


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "k", "method"), [((100_000, 100), 5, "auto"), ((400, 20_000), 10, "gram"),
                                                    ((20_000, 400), 5, "krylov")])
def test_no_centred_copy(rng, shape, k, method, dtype):
    x = rng.standard_normal(shape, dtype=dtype)
    tracemalloc.start()
    pca(x, k, method=method, tol=0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 0.1 * x.nbytes + 4e6, peak / x.nbytes


BEYOND_MEMORY = """
    import resource, sys
    import numpy as np
    import fastla
    from fastla.decomposition import PCA, pca, svd
    path, rows, cols, allowed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    fastla.set_num_threads(1)
    some = np.random.default_rng(0).standard_normal((400, 300))
    np.linalg.svd(some), np.linalg.eigh(some.T @ some)  # OpenBLAS takes its own memory once
    pca(some, 2)
    x = np.memmap(path, np.float32, "r", shape=(rows, cols))
    now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + allowed, now + allowed))
    try:
        np.array(x)
        print("a copy was possible")
    except MemoryError:
        pass
    print(pca(x, 3).singular_values[0], pca(x, 3, method="krylov").singular_values[0],
          pca((x[i : i + 5000] for i in range(0, rows, 5000)), 3).singular_values[0], svd(x, 3).s[0])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS and /proc")
def test_a_file_four_times_the_memory_allowed(rng, tmp_path):
    rows, cols = 200_000, 160
    part = (rng.standard_normal((2000, cols)) * np.geomspace(1, 0.1, cols) + 2).astype(np.float32)
    path = tmp_path / "rows"
    with path.open("wb") as file:
        for _ in range(rows // len(part)):
            file.write(part.tobytes())
    size = rows * cols * 4
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(BEYOND_MEMORY), path, str(rows), str(cols),
                           str(size // 4)], capture_output=True, text=True, env={"OPENBLAS_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    found = [float(x) for x in done.stdout.split()]
    wide, times = part.astype(float), (rows / len(part)) ** 0.5
    centred = np.linalg.svd(wide - wide.mean(axis=0), compute_uv=False)[0] * times
    plain = np.linalg.svd(wide, compute_uv=False)[0] * times
    assert np.allclose(found, [centred] * 3 + [plain], rtol=1e-4)


def test_streams_keep_no_rows(rng):
    stream, rows = PCA(3), rng.standard_normal((20_000, 50))
    stream.partial_fit(rows)
    tracemalloc.start()
    for _ in range(5):
        stream.partial_fit(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < rows.nbytes / 10
    assert stream.n_samples == 120_000
