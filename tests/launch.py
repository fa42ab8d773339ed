"""Programs under python -m fastla run, in processes of their own."""

import os
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from process import SETTINGS

import fastla

needs_fma = pytest.mark.skipif(not any(r.usable for r in fastla.kernels() if r.isa != "generic"),
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
