"""ARCHITECTURE.md's rules: who includes and imports whom, how long a file may be, what is never called."""

import ast
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[1]
CODE = {".py", ".pyi", ".pyx", ".pxd", ".c", ".cpp", ".hpp", ".h", ".cmake"}
if not (ROOT / "csrc").is_dir():
    pytest.skip("needs the source tree", allow_module_level=True)

# A layer includes itself and what stands after it here, or nothing but the C ABI.
ORDER = ("nn", "gemm", "kernels", "runtime", "fastla")
LAYERS = {layer: set(ORDER[i:]) for i, layer in enumerate(ORDER[:-1])}
LAYERS |= {layer: {layer, *ORDER[2:]} for layer in ("graph", "multigrid")}  # beside nn and gemm
LAYERS |= {"include": {"fastla"}}
LAYERS |= {"retrieval": {"retrieval", *ORDER[1:]}}  # beside nn
C_HEADERS = {"stddef.h", "stdint.h", "stdlib.h", "string.h", "math.h", "limits.h", "float.h"}
PRODUCTS = {"matmul", "dot", "vdot", "inner", "outer", "tensordot", "einsum", "multi_dot", "matvec", "vecmat"}


def tracked():
    """Files of the project: what git knows or would take, or all of a source package."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        paths = [ROOT / line for line in listed.stdout.splitlines()]
    else:
        places = ("cmake", "csrc", "src", "python", "tests", "benchmarks", "docs", "examples", "tools")
        paths = [*ROOT.glob("*"), *(p for place in places for p in (ROOT / place).rglob("*"))]
    return [p for p in paths if p.is_file() and "__pycache__" not in p.parts]


def includes(path):
    """(angle, quoted) headers of a C++ file."""
    text = path.read_text()
    return (re.findall(r"^\s*#\s*include\s*<([^>]+)>", text, re.M),
            re.findall(r'^\s*#\s*include\s*"([^"]+)"', text, re.M))


def sources(folder):
    return sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in {".c", ".cpp", ".hpp", ".h"})


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_of_the_core(layer):
    paths = sources(f"csrc/{layer}")
    assert paths
    for path in paths:
        angle, quoted = includes(path)
        for header in quoted:
            beside = "/" not in header and (path.parent / header).exists()
            assert beside or header.partition("/")[0] in LAYERS[layer], f"{path.name} includes {header}"
        assert not any(h.startswith(("Python", "numpy", "pybind11", "fastla/")) for h in angle), path.name


def test_kernels_use_no_standard_library():
    for path in sources("csrc/kernels"):
        angle, _ = includes(path)
        allowed = C_HEADERS | {h for h in angle if h.endswith("intrin.h") or h == "arm_neon.h"}
        assert set(angle) <= allowed, f"{path.name} includes {set(angle) - allowed}"


def test_kernels_keep_to_anonymous_namespaces():
    """What has another linkage is the table of rows alone; templates outside are weak symbols."""
    for path in sources("csrc/kernels"):
        outside = re.sub(r"namespace \{.*?\n\}  // namespace\n", "", path.read_text(), flags=re.S)
        assert not re.search(r"^\s*(template\b|inline\b)", outside, re.M), path.name


def test_the_core_never_prints_aborts_or_throws():
    banned = re.compile(r"\b(printf|fprintf|puts|abort|exit|_exit|assert|throw|std::cout|std::cerr)\s*[(<;]")
    for path in sources("csrc"):
        code = re.sub(r'//[^\n]*|/\*.*?\*/|"[^"\n]*"', "", path.read_text(), flags=re.S)
        found = [m.group() for m in banned.finditer(code) if not code[:m.start()].endswith("static_")]
        assert not found, f"{path.name}: {found}"


def test_bindings_include_the_c_abi_alone():
    own = {p.name for p in sources("src")}
    for path in sources("src"):
        for header in includes(path)[1]:
            assert header in own or re.fullmatch(r"fastla/\w+\.h", header), f"{path.name}: {header}"


def python_files():
    return sorted((ROOT / "python" / "fastla").rglob("*.py"))


def imported(path):
    """Absolute names of the modules of fastla that a file imports, at any depth of its code."""
    package = ["fastla", *path.relative_to(ROOT / "python" / "fastla").parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{a.name}" for a in node.names)


OUTER = ("cli", "interop", "report", "sklearn")


def test_layers_of_the_package():
    """cli, interop, sklearn -> linalg and its neighbours -> _core. The public face names late imports."""
    for path in python_files():
        place = path.relative_to(ROOT / "python" / "fastla")
        names = set(imported(path))
        if place.parts[0] in OUTER:
            assert not {n for n in names if n.startswith("fastla._core")}, f"{place} imports _core"
        elif place.name not in ("__init__.py", "__main__.py"):
            up = {n for n in names if n.startswith(tuple(f"fastla.{o}" for o in OUTER))}
            assert not up, f"{place} imports {up}"


def test_the_package_never_multiplies_by_another_library():
    """Products are fastla's own: numpy.matmul is reached in the binding alone, for dtypes without kernels."""
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            assert not isinstance(getattr(node, "op", None), ast.MatMult), f"{where} uses @"
            if isinstance(node, ast.Attribute) and node.attr in PRODUCTS:
                owner = ast.unparse(node.value)
                # einsum of one operand is sums and views, and of objects, not numbers.
                allowed = (path.name, node.attr) == ("_einsum.py", "einsum")
                assert allowed or owner in ("_core", "fastla", "linalg"), f"{where} uses {ast.unparse(node)}"


def test_files_are_short():
    for path in tracked():
        place = path.relative_to(ROOT)
        if path.suffix in CODE and place.parts[0] != "tests":
            lines = len(path.read_text().splitlines())
            assert lines <= 300, f"{place} has {lines} lines"


def test_no_path_of_somebodys_machine():
    somewhere = re.compile(r"(?<![\w.$}])/(work|root|home|Users)/\w")
    texts = CODE | {".md", ".toml", ".txt", ".json", ".yml", ""}
    for path in tracked():
        if path.suffix in texts and path != pathlib.Path(__file__):
            try:
                found = somewhere.search(path.read_text())
            except UnicodeDecodeError:
                continue
            assert not found, f"{path.relative_to(ROOT)}: {found.group()}"
