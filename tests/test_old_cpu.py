"""On an emulated CPU without AVX the same package takes its generic kernels and gives the same bits."""

import pathlib
import platform
import shutil
import subprocess
import sys
import textwrap

import pytest

TESTS = pathlib.Path(__file__).parent
QEMU = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="needs an x86-64 Python"),
    pytest.mark.skipif(QEMU is None, reason="needs qemu-x86_64 (apt-get install qemu-user)"),
]

SMOKE = """
    import sys
    import numpy as np
    import fastla

    sys.path.insert(0, {tests!r})
    import oracle
    from shapes import assert_same_bits, random_matrix

    chosen = {{row.isa for row in fastla.kernels() if row.chosen}}
    assert chosen == {{{isa!r}}}, chosen
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        kb = oracle.kb(dtype)
        for m, k, n in [(1, 1, 1), (1, 70, 33), (33, 70, 1), (5, 3, 7), (40, kb + 3, 50)]:
            a, b = random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype)
            want = oracle.matmul2(a, b)
            assert_same_bits(fastla.matmul(a, b), want, f"{{m}} x {{k}} x {{n}}")
            assert_same_bits(fastla.matmul(a, fastla.pack(b)), want, "packed")
            assert_same_bits(fastla.matmul(a.T.copy().T, b[::-1].copy()[::-1]), want, "strided")
        assert_same_bits(fastla.linear(a, b.T, b[0], activation="relu"),
                         oracle.epilogue(want, bias=b[0], activation="relu"), "linear")
        big = random_matrix(rng, (150, 150), dtype)
        assert_same_bits(fastla.matmul(big, big, num_threads=2), fastla.matmul(big, big, num_threads=1))
    print("right")
"""


@pytest.mark.parametrize("cpu,isa", [("Nehalem", "generic"), ("Haswell", "avx2")])
def test_smoke(cpu, isa):
    probe = subprocess.run([QEMU, "-cpu", cpu, sys.executable, "-c", "import numpy"], capture_output=True,
                           text=True, timeout=300, check=False)
    if probe.returncode != 0:
        pytest.skip(f"numpy itself does not run on {cpu} here: {probe.stderr[-200:]}")
    code = textwrap.dedent(SMOKE).format(tests=str(TESTS), isa=isa)
    done = subprocess.run([QEMU, "-cpu", cpu, sys.executable, "-c", code], capture_output=True, text=True,
                          timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "right"
