"""python -m fastla run: programs behave as under Python itself, with NumPy patched."""

import os
import pathlib
import textwrap

import pytest
from launch import RUN, WHEEL, needs_fma, needs_wheel, python

import fastla
from fastla import _blas, _run

pytestmark = needs_fma

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
