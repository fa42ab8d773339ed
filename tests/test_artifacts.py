"""The compiled objects: kernels define no weak symbol, and wider instructions stay in their own objects.

A weak symbol (an inline function, a template) compiled for AVX-512 may be the copy that the linker keeps for
everybody; then an old CPU dies of it. So kernels have none, and nothing else is compiled with more than the
platform's baseline. FASTLA_BUILD_DIR names the build tree if it is not under build/.
"""

import os
import pathlib
import platform
import re
import shutil
import subprocess

import pytest

from fastla import _core

ROOT = pathlib.Path(__file__).parents[1]
KERNELS = "csrc/kernels/"
# Objects compiled for more than the baseline, and the widest registers they may use.
WIDE = {
    "csrc/kernels/avx2.cpp.o": {"ymm"},
    "csrc/kernels/avx512.cpp.o": {"ymm", "zmm"},
    "csrc/kernels/avx512_narrow.cpp.o": {"ymm", "zmm"},
    "csrc/kernels/avx2_complex.cpp.o": {"ymm"},
    "csrc/kernels/avx512_complex.cpp.o": {"ymm", "zmm"},
    "csrc/kernels/avx2_halves.cpp.o": {"ymm"},
    "csrc/kernels/avx512_halves.cpp.o": {"ymm", "zmm"},
    "csrc/kernels/avx2_bfloats.cpp.o": {"ymm"},
    "csrc/kernels/avx512_bfloats.cpp.o": {"ymm", "zmm"},
    "csrc/kernels/avx512_pairs.cpp.o": {"ymm", "zmm"},
    "csrc/kernels/avx2_ops.cpp.o": {"ymm"},
    "csrc/kernels/avx512_ops.cpp.o": {"ymm", "zmm"},
}
WIDE_INTEGERS = {
    "csrc/kernels/avx2_integers.cpp.o": {"ymm"},
    "csrc/kernels/avx512_integers.cpp.o": {"ymm", "zmm"},
    "csrc/kernels/avx512_vnni_integers.cpp.o": {"ymm", "zmm"},
}
FOUR_BYTES = "vpdpbusd"  # VNNI, which not every CPU with AVX-512 has
PAIRS = "vdpbf16ps"  # BF16, nor this

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="needs an x86-64 build"),
    pytest.mark.skipif(not (shutil.which("nm") and shutil.which("objdump")), reason="needs nm and objdump"),
]


def objects():
    """{"csrc/kernels/avx2.cpp.o": path, ...} of the newest build tree, or {}."""
    named = os.environ.get("FASTLA_BUILD_DIR")
    trees = [pathlib.Path(named)] if named else [
        p.parents[2] for p in ROOT.glob("build/*/CMakeFiles/fastla_core.dir/csrc")]
    trees = [t for t in trees if (t / "CMakeFiles").is_dir()]
    if not trees:
        return {}
    newest = max(trees, key=lambda t: (t / "CMakeCache.txt").stat().st_mtime)
    found = {}
    for target in (newest / "CMakeFiles").glob("*.dir"):
        for path in target.rglob("*.o"):
            found[path.relative_to(target).as_posix()] = path
    return found


OBJECTS = objects()
needs_tree = pytest.mark.skipif(not OBJECTS, reason="needs a build tree (FASTLA_BUILD_DIR)")


def weak_symbols(path):
    """Defined symbols of which another object may bring, or get, the copy that stays."""
    said = subprocess.run(["nm", "--defined-only", "-C", path], capture_output=True, text=True, check=True)
    fields = [line.split(maxsplit=2) for line in said.stdout.splitlines()]
    return [f[2] for f in fields if len(f) == 3 and f[1] in "WVwvu"]


# VEX and EVEX mnemonics begin with v (but for a few old ones); BMI instructions come with -mavx2's CPUs.
VEX = re.compile(r"v(?!err$|erw$|mcall$|mlaunch$|mresume$|mread$|mwrite$|mfunc$)\w+$"
                 r"|(andn|bextr|blsi|blsmsk|blsr|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx)[lq]?$")


def wide_instructions(path):
    """(mnemonics beyond the baseline, register classes): of the disassembled object."""
    said = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True,
                          check=True).stdout
    mnemonics, registers = set(), set()
    for line in said.splitlines():
        fields = line.split("\t")
        if len(fields) < 2:
            continue
        words = fields[1].split()
        if words and VEX.match(words[0]):
            mnemonics.add(words[0])
        registers.update(re.findall(r"%([yz]mm)\d", fields[1]))
    return mnemonics, registers


@needs_tree
def test_the_tree_is_complete():
    sources = {p.relative_to(ROOT).as_posix() + ".o" for p in ROOT.glob("csrc/**/*.cpp")}
    engines = {"csrc/runtime/team.cpp.o", "csrc/runtime/team_openmp.cpp.o"}
    assert engines & set(OBJECTS)  # one of them, by the build option
    kinds = ("", "_integers", "_complex", "_halves", "_bfloats", "_ops")
    sources -= engines | {f"csrc/kernels/neon{kind}.cpp.o" for kind in kinds}
    assert sources <= set(OBJECTS), sources - set(OBJECTS)


@needs_tree
def test_kernels_define_no_weak_symbol():
    weak = {name: weak_symbols(path) for name, path in OBJECTS.items() if name.startswith(KERNELS)}
    assert len(weak) >= 4
    assert not {name: symbols for name, symbols in weak.items() if symbols}


@needs_tree
def test_wide_instructions_stay_in_their_objects():
    for name, path in OBJECTS.items():
        mnemonics, registers = wide_instructions(path)
        if name in WIDE | WIDE_INTEGERS:
            assert mnemonics, f"{name} has no vector code: is it compiled with its flags?"
            assert registers <= (WIDE | WIDE_INTEGERS)[name], f"{name} uses {registers}"
            assert (FOUR_BYTES in mnemonics) == ("vnni" in name), f"{name}: {FOUR_BYTES}"
            assert (PAIRS in mnemonics) == ("pairs" in name), f"{name}: {PAIRS}"
        else:
            assert not mnemonics and not registers, f"{name} uses {sorted(mnemonics)[:5]}"


@needs_tree
def test_fused_multiply_adds_are_where_they_belong():
    """The wide kernels have the hardware's; without it, a fused one is a call or integer arithmetic."""
    for name in WIDE:
        assert any(m.startswith("vfmadd") for m in wide_instructions(OBJECTS[name])[0])


def test_the_module_exports_next_to_nothing():
    """Names that are not exported cannot meet those of another library."""
    said = subprocess.run(["nm", "-D", "--defined-only", _core.__file__], capture_output=True, text=True,
                          check=True).stdout
    names = {line.split()[-1].partition("@")[0] for line in said.splitlines()}
    ours = {"PyInit__core", "fastla_threads_get", "fastla_threads_set"}
    assert ours <= names
    assert not {n for n in names - ours if "fastla" in n}


PLANTED = {
    "weak": ("-O0", "template <class T> T twice(T x) { return x + x; }\nint f(int x) { return twice(x); }"),
    "inline": ("-O0", "inline int g(int x) { return x + 1; }\nint f(int x) { return g(x); }"),
    "avx": ("-mavx", "typedef float V __attribute__((vector_size(32)));\nV f(V *x) { return x[0] + x[1]; }"),
    "scalar": ("-mavx", "float f(float x, float y) { return x * y; }"),
    "bmi": ("-mbmi", "unsigned long f(unsigned long x, unsigned long y) { return ~x & y; }"),
    "wide": ("-mavx512f", "typedef float V __attribute__((vector_size(64)));\nV f(V *x) { return *x + *x; }"),
    "good": ("-O2", "static int g(int x) { return x + 1; }\nfloat f(float x, int y) { return x * g(y); }"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_checks_catch_a_planted_object(tmp_path, name):
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if not compiler:
        pytest.skip("needs a C++ compiler")
    flags, source = PLANTED[name]
    (tmp_path / "planted.cpp").write_text(source)
    path = tmp_path / "planted.o"
    subprocess.run([compiler, "-c", "-O2", flags, "-o", path, tmp_path / "planted.cpp"], check=True)
    mnemonics, registers = wide_instructions(path)
    assert bool(weak_symbols(path)) == (name in ("weak", "inline"))
    assert bool(mnemonics) == (name in ("avx", "scalar", "bmi", "wide"))
    assert ("zmm" in registers) == (name == "wide")
