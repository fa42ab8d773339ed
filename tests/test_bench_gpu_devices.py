"""benchmarks.gpu without its device: calls of cuBLAS, arrays of libraries, the driver's facts."""

import ctypes
import importlib
import inspect
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import gpu_standin

from benchmarks.gpu import backend, check, environment, measure, ours, probe, rivals
from benchmarks.gpu.cells import Cell, in_layouts, product
from benchmarks.gpu.problems import Absent, Answer, problems
from fastla.cli import main

ROOT = Path(__file__).parents[1]
TYPES = {0: np.float32, 1: np.float64, 2: np.float16, 3: np.int8, 10: np.int32, 14: ml_dtypes.bfloat16}
CELLS = [product((7, 5, 9), dtype) for dtype in ("float32", "float64", "float16", "bfloat16")]
STACK = product((7, 5, 9), "float32", count=3)


def columns(address, kind, rows, cols, line):
    """A matrix as cuBLAS sees it: column by column, `line` elements apart."""
    dtype = np.dtype(TYPES[kind])
    count = line * (cols - 1) + rows
    raw = (ctypes.c_char * (count * dtype.itemsize)).from_address(address)
    steps = (dtype.itemsize, line * dtype.itemsize)
    return np.ndarray((rows, cols), dtype, raw, strides=steps)


def gemm(handle, a_op, b_op, m, n, k, alpha, a, a_kind, lda, b, b_kind, ldb, beta, c, c_kind, ldc,
         compute, algo):
    """cublasGemmEx: C = alpha op(A) op(B) + beta C."""
    assert handle == 77 and algo == -1
    scale = {68: np.float32, 70: np.float64, 72: np.int32}[compute]
    size = np.dtype(scale).itemsize
    assert [np.frombuffer(ctypes.string_at(x, size), scale)[0] for x in (alpha, beta)] == [1, 0]
    left = columns(a, a_kind, *((k, m) if a_op else (m, k)), lda)
    right = columns(b, b_kind, *((n, k) if b_op else (k, n)), ldb)
    left, right = left.T if a_op else left, right.T if b_op else right
    columns(c, c_kind, m, n, ldc)[...] = left.astype(np.float64) @ right.astype(np.float64)


def stacked(handle, a_op, b_op, m, n, k, alpha, a, a_kind, lda, a_next, b, b_kind, ldb, b_next, beta, c,
            c_kind, ldc, c_next, count, compute, algo):
    a_next, b_next, c_next = (step * np.dtype(TYPES[kind]).itemsize for step, kind in
                              ((a_next, a_kind), (b_next, b_kind), (c_next, c_kind)))
    for i in range(count):
        gemm(handle, a_op, b_op, m, n, k, alpha, a + i * a_next, a_kind, lda, b + i * b_next, b_kind, ldb,
             beta, c + i * c_next, c_kind, ldc, compute, algo)


@pytest.fixture
def cublas(monkeypatch):
    library = SimpleNamespace(gemmEx=gemm, gemmStridedBatchedEx=stacked)
    monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs.cublas", library)
    monkeypatch.setitem(sys.modules, "cupy.cuda.device", SimpleNamespace(get_cublas_handle=lambda: 77))
    return rivals.CuBlas(gpu_standin.Device())


@pytest.mark.parametrize("cell", [one for cell in [*CELLS, STACK, product((7, 5, 9), "int8")]
                                  for one in in_layouts(cell)], ids=lambda cell: cell.label)
def test_calls_of_cublas(cublas, cell):
    Answer(cublas.device, cell).ask("cuBLAS", cublas.prepare)


def test_what_cublas_has_not(cublas):
    layer = Cell("linear", 4, 4, 4, "float32", layout="nt")
    (problem,) = problems(cublas.device, layer, cublas.device.normal)
    with pytest.raises(Absent, match="gemmEx has no linear of float32"):
        cublas.prepare(problem)
    assert rivals.compute_type(product((1, 1, 1), "float32", precision="tf32")) == (77, "float32")


def like_cupy(monkeypatch):
    """backend.CuPy on NumPy, whose functions CuPy's are like."""
    events = SimpleNamespace(Event=lambda: None, runtime=SimpleNamespace(getDeviceCount=lambda: 1),
                             Device=lambda: SimpleNamespace(synchronize=lambda: None))
    names = ("empty", "random", "ascontiguousarray", "asarray", "tanh", "matmul")
    cupy = SimpleNamespace(cuda=events, RawKernel=lambda *a: None, asnumpy=np.asarray, __version__="14",
                           **{name: getattr(np, name) for name in names})
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return backend.CuPy(gpu_standin.FACTS)


def like_torch(monkeypatch):
    """backend.Torch with its tensors on the CPU."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing: None)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(backend.Torch, "place", "cpu")
    return backend.Torch(gpu_standin.FACTS)


@pytest.mark.parametrize("make", [like_cupy, like_torch])
def test_arrays_of_libraries(monkeypatch, make):
    """Their own products pass the checks of ours, and a wrong element does not."""
    device = make(monkeypatch)
    library = rivals.LibraryProduct(device, "library")
    bench = backend.Bench(device, [device], library, [], {})
    for cell in (*CELLS, product((3, 4, 0), "float64")):
        found = check.check(bench, cell, [], lambda what: None)
        assert len(found["worst"]) == 4, found
    for cell in in_layouts(STACK):
        Answer(device, cell).ask(device.name, library.prepare)
    assert device.same(device.put(np.eye(3), "bfloat16"), device.cast(device.double(
        device.put(np.eye(3), "float64")), "bfloat16"))
    (problem,) = problems(device, CELLS[3], device.normal)
    assert np.isnan(device.get(problem.out)).all() and device.get(problem.out).dtype == np.float32
    (problem,) = problems(device, product((32, 32, 32), "int8", layout="nt"), device.normal)
    if device.name == "PyTorch":
        Answer(device, problem.cell).ask("PyTorch", library.prepare)
        layer = Cell("linear", 40, 24, 16, "bfloat16", layout="nt")
        Answer(device, layer).ask("PyTorch", rivals.TorchLayer(device, "addmm", False).prepare)
    else:
        with pytest.raises(Absent, match="CuPy has no product of int8"):
            library.prepare(problem)


def test_plans_by_their_names(monkeypatch):
    """The one place where fastla's plans are used, on modules like fastla's."""
    ran, kept = [], {}
    plans = [SimpleNamespace(name="large"), SimpleNamespace(name="small")]
    device = SimpleNamespace(name="GPU")

    def product(a, b, out, chooser=lambda desc, device: plans[0]):
        ran.append(chooser(SimpleNamespace(key=f"{a.shape} {b.shape}"), device).name)

    products = SimpleNamespace(product=product)
    products.matmul = lambda a, b, out, precision: products.product(a, b, out)
    products.linear = lambda x, w, bias, activation, out, precision: products.product(x, w.T, out)
    cache = SimpleNamespace(keep_tuned=lambda *names: kept.update([names]))
    plan = SimpleNamespace(candidates=lambda *asked: plans, choose=lambda *asked: plans[1])
    for name, module in (("products", products), ("cache", cache), ("plan", plan)):
        monkeypatch.setitem(sys.modules, f"fastla.cuda.{name}", module)
    fastla = ours.Fastla()
    for cell in (CELLS[0], Cell("linear", 7, 5, 9, "float32", layout="nt")):
        (problem,) = problems(gpu_standin.Device(), cell, gpu_standin.Device().normal)
        assert fastla.plan(problem) == "small"
        found = fastla.candidates(problem)
        assert [name for name, _ in found] == ["large", "small"]
        for name, prepare in found:
            prepare(problem)()
            assert ran[-1] == name
        key = fastla.keep(problem, "large")
        assert key == "(7, 9) (9, 5)" and kept == {"GPU": {key: "large"}}
    assert products.product is product

    def nothing(desc, device):
        raise TypeError("no kernel computes this")

    plan.choose = nothing
    bench = backend.Bench(gpu_standin.Device(), [], fastla, [], {})
    found = measure.tune(bench, CELLS[0], [], print)
    assert found["choice"] == "" and found["absent"] == {"fastla": "no kernel computes this"}


def test_fastla_has_what_is_used():
    products = pytest.importorskip("fastla.cuda.products", reason="needs products on a GPU")
    assert "chooser" in inspect.signature(products.product).parameters
    for module, names in (("plan", ("candidates", "choose")), ("cache", ("keep_tuned",))):
        assert all(hasattr(importlib.import_module(f"fastla.cuda.{module}"), name) for name in names)


def test_what_fastla_has_not(monkeypatch):
    def matmul(*args, **kwargs):
        raise TypeError("matmul: x1 is int8; on a GPU there are products of float32")

    monkeypatch.setattr(ours.fastla, "matmul", matmul)
    bench = backend.Bench(gpu_standin.Device(), [], ours.Fastla(), [], {})
    found = check.check(bench, CELLS[0], ["nt"], print)
    assert set(found["absent"]) == {"nn", "tn", "tt"} and "x1 is int8" in found["absent"]["nn"]


def test_who_takes_part(cublas, monkeypatch):
    torch = SimpleNamespace(name="PyTorch", address=None)
    cupy = SimpleNamespace(name="CuPy", address=None)
    absent = {}
    names = [[c.name for c in rivals.contenders(libraries[0], libraries, absent)]
             for libraries in ([torch, cupy], [torch], [cupy])]
    assert names == [["cuBLAS", "PyTorch.matmul", "torch fused", "torch addmm, gelu"],
                     ["cuBLAS", "torch fused", "torch addmm, gelu"], ["cuBLAS", "CuPy.matmul"]]
    assert not absent
    monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs.cublas", None)
    first = rivals.contenders(torch, [torch, cupy], absent)[0]
    assert type(first) is rivals.LibraryProduct and first.name == "cuBLAS" and len(absent) == 1
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ImportError, match=r"needs PyTorch or CuPy .*torch.*cupy"):
        backend.open_bench(gpu_standin.FACTS)


def test_the_facts(monkeypatch):
    kinds = {f"CU_DEVICE_ATTRIBUTE_{name}": i for i, name in enumerate(probe.ATTRIBUTES.values())
             if name != "MEMORY_CLOCK_RATE"}
    values = [9, 0, 132, 50 << 20, 1980000, 0, 5120, 232448]
    ok = SimpleNamespace(name="CUDA_SUCCESS")
    driver = SimpleNamespace(
        CUdevice_attribute=SimpleNamespace(**kinds), cuInit=lambda flags: (ok,),
        cuDeviceGet=lambda number: (ok, number),
        cuDeviceGetName=lambda most, device: (ok, b"NVIDIA H100\0\0"),
        cuDriverGetVersion=lambda: (ok, 13000), cuDeviceTotalMem=lambda device: (ok, 80 << 30),
        cuDeviceGetAttribute=lambda kind, device: (ok, values[kind]))
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", driver)
    smi = probe.smi
    driver.cuDeviceGetPCIBusId = lambda most, device: (ok, b"0000:19:00.0\0")
    told = {"0000:19:00.0": {"driver_version": "580.65", "clocks.sm": "345 MHz"}}
    monkeypatch.setattr(probe, "smi", told.get)
    facts = probe.facts()
    assert facts["l2_bytes"] == 50 << 20 and facts["memory_clock_khz"] == 0
    assert "numpy" in facts["versions"]
    assert probe.line(facts) == (
        "NVIDIA H100, sm_90, 132 multiprocessors, 80 GiB, L2 50 MiB, up to 1980 MHz, now 345 MHz; "
        "driver 580.65, CUDA 13.0")
    said = SimpleNamespace(stdout="580.65, 345 MHz, 1980 MHz, 2619 MHz, 700.00 W, 31, 0 %\nanother\n")
    assert smi("0000:19:00.0", lambda *a, **b: said)["power.limit"] == "700.00 W"
    driver.cuInit = lambda flags: (SimpleNamespace(name="CUDA_ERROR_UNKNOWN"),)
    with pytest.raises(RuntimeError, match="cuInit: CUDA_ERROR_UNKNOWN"):
        probe.facts()


def test_requirements_have_a_module_that_shows_them():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["optional-dependencies"]["bench-gpu"], *project["build-system"]["requires"],
              "no-such-thing"]
    environment.MODULES["no-such-thing"] = "no_such_module"
    found = environment.lacking(Path(sys.executable), wanted)
    assert "no-such-thing" in found and not any(word.startswith("numpy") for word in found)


def test_the_command_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("fastla.cuda.missing", lambda: "the CUDA driver finds no device")
    monkeypatch.chdir(ROOT)
    assert main(["bench", "--cuda"]) == 1
    assert capsys.readouterr().out == "the CUDA driver finds no device\n"
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "--cuda"]) == 1
    assert "in fastla's source tree" in capsys.readouterr().err
