"""python -m fastla run: programs behave as under Python itself, with NumPy and BLAS patched."""

import os
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from process import SETTINGS

import fastla
from fastla import _blas, _run

pytestmark = pytest.mark.skipif(not any(r.usable for r in fastla.kernels() if r.isa != "generic"),
                                reason="needs hardware with fused multiply-adds")
LIBRARIES = pathlib.Path(np.__file__).parent.with_name("numpy.libs")
WHEEL = any(LIBRARIES.glob("*openblas64_*"))  # the BLAS that can be interposed
needs_wheel = pytest.mark.skipif(not WHEEL, reason="needs NumPy's wheel with its OpenBLAS")
RUN = ["-m", "fastla", "run"]


def python(*words, cwd, env=None, stdin=""):
    clean = {name: value for name, value in os.environ.items() if name not in (*SETTINGS, "FASTLA_RUN")}
    done = subprocess.run([sys.executable, *map(str, words)], cwd=cwd, env=clean | (env or {}), input=stdin,
                          capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


PRELUDE = """
    import numpy as np
    import fastla
    rng = np.random.default_rng(5)
    def draw(shape, code):
        x = rng.standard_normal(shape)
        return (x + 1j * rng.standard_normal(shape) if code in "FD" else x).astype(code)
    def same(x, y):
        return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
    def count(name):
        return tuple(fastla.patch_status()["routines"][name].values())
"""


def run_blas(tmp_path, code):
    """What PRELUDE and then `code` say."""
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(PRELUDE) + textwrap.dedent(code) + "\nprint('done')\n")
    status, out, err = python(*RUN, "--blas", script, cwd=tmp_path,
                              env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})
    assert status == 0 and "done\n" in out, err
    return (out + err).replace("done\n", "")


TELL = """
import sys, numpy
print(sys.argv, sys.path, __name__, globals().get("__file__"), sys.flags, sys.stdin.read())
"""


@pytest.mark.parametrize("words, code", [
    (["program.py", "a", "--blas", "-m"], TELL),
    (["-m", "program", "x y"], TELL),
    (["-c", TELL, "-c", "b"], ""),
    (["-", "c"], ""),
    (["program.py"], "import sys; sys.exit(3)"),
    (["program.py"], "def f():\n    1 / 0\n\nimport numpy\nf()"),
    (["-m", "program"], "raise SystemExit('text')"),
    (["program.py"], "import os, signal; os.kill(os.getpid(), signal.SIGINT); input()"),
    (["missing.py"], ""),
], ids=["script", "module", "code", "stdin", "exit", "traceback", "message", "interrupt", "missing"])
def test_as_under_python(words, code, tmp_path):
    (tmp_path / "program.py").write_text(code)
    stdin = "print(__name__, __import__('sys').argv)" if words[0] == "-" else "text"
    plain = python("-W", "error", "-O", *words, cwd=tmp_path, stdin=stdin)
    assert python("-W", "error", "-O", *RUN, "--operator", *words, cwd=tmp_path, stdin=stdin) == plain


def test_what_is_patched(tmp_path):
    tell = "import numpy, fastla; s = fastla.patch_status(); print(s['loops'], s['operator'], s['blas'])"
    assert python(*RUN, "-c", tell, cwd=tmp_path)[1].split() == ["True", "False", "False"]
    status, out, err = python("-Wd", "-mfastla", "run", "--no-loops", "--operator", "--blas", "-c",
                              tell.replace("numpy, fastla", "fastla"), cwd=tmp_path)
    assert status == 0 and out.split() == ["False", "True", str(WHEEL)]
    assert ("nothing is interposed" in err) == (not WHEEL)


def test_the_next_sitecustomize_runs(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('theirs')")
    status, out, err = python(*RUN, "-c", "import sitecustomize; print(sitecustomize.__file__)", cwd=tmp_path,
                              env={"PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path),
                                                                               os.environ.get("PYTHONPATH")]))})
    assert (status, err) == (0, "")
    # Once in the launcher, once in the program.
    assert out.splitlines() == ["theirs", "theirs", str(tmp_path / "sitecustomize.py")]


@pytest.mark.parametrize("before, words, message", [
    ([], ["--nonsense"], "unrecognized arguments"),
    ([], ["-X", "dev", "program.py"], "before -m fastla"),
    (["-E"], ["program.py"], "PYTHONPATH"),
])
def test_wrong_command_lines(before, words, message, tmp_path):
    status, _, err = python(*before, *RUN, *words, cwd=pathlib.Path(fastla.__file__).parents[1])
    assert status == 2 and message in err


def test_blas_must_be_interposed(monkeypatch, capsys):
    with pytest.raises(RuntimeError, match="python -m fastla run --blas"):
        fastla.patch_numpy(blas=True)
    with pytest.raises(RuntimeError, match="python -m fastla run --blas"), fastla.patched(blas=True):
        pass
    assert not fastla.is_patched() and not fastla.patch_status()["routines"]

    class Nothing:
        def fastla_blas_reaches(self):
            return 0

    monkeypatch.setattr(_blas, "_library", Nothing)
    monkeypatch.setenv("FASTLA_RUN", "loops,blas")
    _run.patch()
    try:
        assert fastla.is_patched()
        assert "nothing is interposed" in capsys.readouterr().err
    finally:
        monkeypatch.undo()
        fastla.unpatch_numpy()
    assert not fastla.is_patched()


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
        for got, want in [(blas.zgemm(2j, a, b), 2j * (a @ b)), (blas.zgemm(1, a.T, b, trans_a=1), a @ b),
                          (blas.zgemm(1, a.conj().T, b, trans_a=2), a @ b)]:
            assert np.allclose(got, want)
        assert count("zgemm")[1] == before + 2 * ours
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


@needs_wheel
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_children_are_patched(method, tmp_path):
    (tmp_path / "program.py").write_text(textwrap.dedent(f"""
        import multiprocessing
        import numpy as np

        def child(a):
            import fastla
            return fastla.patch_status()["blas"] and np.array_equal(np.dot(a, a), fastla.matmul(a, a))

        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(1) as pool:
                print(pool.apply(child, (np.random.default_rng(1).standard_normal((600, 600)),)))
    """))
    assert python(*RUN, "--blas", "program.py", cwd=tmp_path) == (0, "True\n", "")
