"""python -m fastla run --blas: what NumPy and SciPy ask of BLAS has fastla's bits."""

import ctypes
import pathlib

import pytest
from launch import LIBRARIES, RUN, needs_fma, needs_wheel, python, run_blas

import fastla

pytestmark = needs_fma


@needs_wheel
def test_numpy_dot(tmp_path):
    assert run_blas(tmp_path, """
        for code, letter in zip("fdFD", "sdcz"):
            a, b = draw((77, 1300), code), draw((1300, 45), code)
            gemm, gemv, syrk = (count(letter + name) for name in ("gemm", "gemv", "syrk"))
            want = fastla.matmul(a, b)
            assert same(np.dot(a, b), want)
            assert same(np.dot(a.copy("F"), b.copy("F")), want)
            assert same(np.dot(b.T, a.T), want.T)
            assert same(np.dot(a[:, ::-1], b[::-1]), fastla.matmul(a[:, ::-1], b[::-1]))
            assert same(np.inner(a, b.T), want) and same(np.tensordot(a, b, 1), want)
            assert count(letter + "gemm") == (gemm[0] + 6, 0)
            assert same(np.dot(a, b[:, 3]), np.ascontiguousarray(want[:, 3]))
            assert same(np.dot(a[5], b), want[5])
            assert count(letter + "gemv") == (gemv[0] + 2, 0)
            for x in (a, b):
                assert same(np.dot(x, x.T), fastla.matmul(x, x.T))
                assert same(np.dot(x.T, x), fastla.matmul(x.T, x))
            assert count(letter + "syrk") == (syrk[0] + 4, 0)
            out = np.zeros((77, 45), code)
            assert same(np.dot(a, b, out=out), want)
            assert not np.dot(np.empty((3, 0), code), np.empty((0, 4), code)).any()
            assert np.dot(np.empty((0, 3), code), np.empty((3, 4), code)).shape == (0, 4)
    """) == ""


@needs_wheel
def test_the_way_back(tmp_path):
    run_blas(tmp_path, """
        a, b = draw((60, 3000), "d"), draw((3000, 50), "d")
        ours = fastla.matmul(a, b)
        assert same(np.dot(a, b), ours)
        fastla.patch_numpy(loops=False, blas=True)
        fastla.unpatch_numpy()
        assert same(np.dot(a, b), ours) and fastla.patch_status()["blas"]
        fastla.unpatch_numpy()
        before = count("dgemm")
        old = np.dot(a, b)
        assert not same(old, ours) and np.allclose(old, ours)
        assert not fastla.is_patched() and count("dgemm") == before
        with fastla.patched(loops=False, blas=True):
            assert same(np.dot(a, b), ours)
            assert same(np.matmul(a, b), ours)  # NumPy's loop, our BLAS
        assert same(np.dot(a, b), old)
    """)


@needs_wheel
def test_scipy(tmp_path):
    pytest.importorskip("scipy")
    run_blas(tmp_path, """
        from itertools import product
        from scipy.linalg import blas

        assert same(blas.zgemm(1, np.eye(2), np.eye(2)), np.eye(2, dtype="D", order="F"))
        ours = count("zgemm") == (1, 0)
        for code, letter in zip("fd", "sd"):
            gemm, gemv, syrk = (getattr(blas, letter + name) for name in ("gemm", "gemv", "syrk"))
            for ta, tb, alpha, beta in product((0, 1), (0, 1, 2), (1, -0.3), (0, 1, 0.7)):
                a, b, c = draw((33, 700), code), draw((700, 21), code), draw((33, 21), code)
                want = fastla.gemm(a, b, c=c, alpha=float(np.array(alpha, code)),
                                   beta=float(np.array(beta, code)))
                x = np.asfortranarray(a.T if ta else a)
                y = np.asfortranarray(b.T if tb else b)
                z = np.asfortranarray(c)
                got = gemm(alpha, x, y, beta, z, ta, tb, overwrite_c=1)
                assert same(got, np.asfortranarray(want)) == ours and np.shares_memory(got, z)
            before = count(letter + "gemm")[1]
            assert not gemm(0, a, b).any() and count(letter + "gemm")[1] == before + ours
            for trans, incx, incy, beta in product((0, 1), (1, -2), (1, 3, -1), (0, 0.5)):
                a = draw((30, 40), code)
                op = a.T if trans else a
                x, y = draw(op.shape[1], code), draw(op.shape[0], code)
                spread_x, spread_y = np.zeros(120, code), np.ones(120, code)
                spread_x[:len(x) * abs(incx):abs(incx)] = x[::-1] if incx < 0 else x
                places = slice(0, len(y) * abs(incy), abs(incy))
                spread_y[places] = y[::-1] if incy < 0 else y
                got = gemv(-2, a, spread_x, beta, spread_y, incx=incx, incy=incy, trans=trans)
                want = fastla.gemm(op, x[:, None], alpha=-2, beta=beta, c=y[:, None])[:, 0]
                assert same(got[places].copy(), (want[::-1] if incy < 0 else want).copy()) == ours
                got[places] = 1
                assert (got == 1).all()
            for trans, lower, alpha in product((0, 1), (0, 1), (1, 3)):
                a, c = draw((101, 70), code), draw((70 if trans else 101,) * 2, code)
                op = a.T if trans else a
                keep = np.tril if lower else np.triu
                want = np.where(keep(np.ones_like(c)), fastla.gemm(op, op.T, alpha=alpha), c)
                assert same(syrk(alpha, a, trans=trans, lower=lower, c=c), np.asfortranarray(want)) == ours
                got = syrk(alpha, a, beta=2, trans=trans, lower=lower, c=c)  # the old BLAS
                assert np.allclose(got, want + 2 * keep(c), atol=1e-2)
        a, b = draw((20, 300), "D"), draw((300, 30), "D")
        before = count("zgemm")[1]
        for got, want in [(blas.zgemm(1 + 2j, a, b), (1 + 2j) * (a @ b)), (blas.zgemm(2, a, b), 2 * (a @ b)),
                          (blas.zgemm(1, a, b, 1j, a[:, :30]), a @ b + 1j * a[:, :30]),
                          (blas.zgemm(1, a.T, b, trans_a=1), a @ b),
                          (blas.zgemm(1, a.conj().T, b, trans_a=2), a @ b)]:
            assert np.allclose(got, want)
        assert count("zgemm")[1] == before + 4 * ours
    """)


DIRECT = """
    import ctypes
    from itertools import product

    def call(order, ta, tb, lda_less=0):
        m, n, k = 9, 7, 500
        a, b = draw((m, k), "f"), draw((k, n), "f")
        rows = order == 101
        def store(x):  # with room between the lines
            lines = x if rows else x.T
            room = np.full((lines.shape[0], lines.shape[1] + 3), np.nan, x.dtype)
            room[:, :-3] = lines
            return room
        x, y, z = store(a.T if ta else a), store(b.T if tb else b), store(np.ones((m, n), "f"))
        integer, single = ctypes.c_int64, ctypes.c_float
        pointers = [ctypes.c_void_p(v.ctypes.data) for v in (x, y, z)]
        ctypes.CDLL(None).{name}(order, 112 if ta else 111, 112 if tb else 111, integer(m), integer(n),
            integer(k), single(1), pointers[0], integer(3 if lda_less else x.shape[1]), pointers[1],
            integer(y.shape[1]), single(2), pointers[2], integer(z.shape[1]))
        inner = z[:, :-3] if rows else z[:, :-3].T
        assert np.isnan(z[:, -3:]).all()
        return inner, fastla.gemm(a, b, beta=2, c=np.ones((m, n), "f"))

    for order, ta, tb in product((101, 102), (0, 1), (0, 1)):
        got, want = call(order, ta, tb)
        assert same(got.copy(), want)
    before = count("sgemm")
    for order, less in ((101, 1), (99, 0)):
        got, want = call(order, 0, 0, less)
        assert (got == 1).all()
    assert count("sgemm") == (before[0] + 1, before[1] + 1)
"""


@needs_wheel
def test_orders_and_invalid_arguments(tmp_path):
    prefix = "scipy_" if any(LIBRARIES.glob("libscipy_openblas64_*")) else ""
    said = run_blas(tmp_path, DIRECT.replace("{name}", f"{prefix}cblas_sgemm64_"))
    assert said.count("SGEMM") == 2  # what the old BLAS says of it


def test_only_unambiguous_names_are_exported():
    """dgemm_ and cblas_dgemm have integers of 32 or 64 bits, depending on who built them."""
    library = ctypes.CDLL(str(pathlib.Path(fastla.__file__).with_name("libfastla_blas.so")))
    assert hasattr(library, "scipy_dgemm_") and hasattr(library, "scipy_cblas_zsyrk64_")
    assert not [n for n in ("dgemm_", "dgemv_", "cblas_dgemm", "dgemm", "gemm", "gemv", "syrk", "look_up")
                if hasattr(library, n)]


@needs_wheel
@pytest.mark.parametrize("name", ["test_blas", "test_fblas"])
def test_scipys_own_tests(name, tmp_path):
    pytest.importorskip(f"scipy.linalg.tests.{name}")
    status, out, _ = python(*RUN, "--blas", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore",
                            "--pyargs", f"scipy.linalg.tests.{name}", cwd=tmp_path)
    assert status == 0 and " passed" in out, out[-2000:]


@needs_wheel
def test_scikit_learn(tmp_path):
    pytest.importorskip("sklearn")
    run_blas(tmp_path, """
        from sklearn.cluster import KMeans
        from sklearn.decomposition import PCA

        def fit():
            pca = PCA(4, svd_solver="arpack", random_state=0).fit(x)
            return pca.explained_variance_, KMeans(3, n_init=1, random_state=0).fit(x).cluster_centers_

        x = draw((200, 30), "d")
        got = fit()
        calls = count("dgemm")[0]
        assert calls > 1  # KMeans calls it through scipy.linalg.cython_blas
        fastla.unpatch_numpy()
        assert all(np.allclose(g, w) for g, w in zip(got, fit())) and count("dgemm")[0] == calls
    """)
