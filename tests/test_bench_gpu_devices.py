"""benchmarks.gpu without its device: calls of cuBLAS, arrays of libraries, the driver's facts, verdicts."""

import ctypes
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import gpu_standin

from benchmarks.gpu import backend, check, environment, pages, plots, probe, report, rivals, roofs
from benchmarks.gpu.cells import Cell, in_layouts, product
from benchmarks.gpu.problems import Absent, Answer, problems
from benchmarks.gpu.store import Store
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


def test_who_takes_part(cublas, monkeypatch):
    torch = SimpleNamespace(name="PyTorch", address=None)
    cupy = SimpleNamespace(name="CuPy", address=None)
    names = [[c.name for c in rivals.contenders(libraries[0], libraries)]
             for libraries in ([torch, cupy], [torch], [cupy])]
    assert names == [["cuBLAS", "PyTorch.matmul", "torch fused", "torch addmm, gelu"],
                     ["cuBLAS", "torch fused", "torch addmm, gelu"], ["cuBLAS", "CuPy.matmul"]]
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
    monkeypatch.setattr(probe, "smi", lambda: {"driver_version": "580.65", "clocks.sm": "345 MHz"})
    facts = probe.facts()
    assert facts["l2_bytes"] == 50 << 20 and facts["memory_clock_khz"] == 0
    assert "numpy" in facts["versions"]
    assert probe.line(facts) == (
        "NVIDIA H100, sm_90, 132 multiprocessors, 80 GiB, L2 50 MiB, up to 1980 MHz, now 345 MHz; "
        "driver 580.65, CUDA 13.0")
    said = SimpleNamespace(stdout="580.65, 345 MHz, 1980 MHz, 2619 MHz, 700.00 W, 31, 0 %\nanother\n")
    assert smi(lambda *a, **b: said)["power.limit"] == "700.00 W"
    driver.cuInit = lambda flags: (SimpleNamespace(name="CUDA_ERROR_UNKNOWN"),)
    with pytest.raises(RuntimeError, match="cuInit: CUDA_ERROR_UNKNOWN"):
        probe.facts()


@pytest.mark.parametrize("name, dtype, precision, rate", [
    ("NVIDIA H100 80GB HBM3", "bfloat16", "highest", 989), ("NVIDIA H100 PCIe", "float16", "highest", 756),
    ("NVIDIA H200", "float32", "exact", 67), ("NVIDIA H200", "float32", "high", 165),
    ("NVIDIA H200", "float64", "exact", 34), ("NVIDIA H200", "float64", "highest", 67),
    ("NVIDIA A100-SXM4-80GB", "int8", "highest", 624), ("NVIDIA A10G", "bfloat16", "highest", None),
    ("NVIDIA L40S", "float32", "high", 91.6), ("NVIDIA L4", "float16", "highest", 121)])
def test_datasheets(name, dtype, precision, rate):
    assert roofs.datasheet(name, product((8, 8, 8), dtype, precision=precision)) == rate


def record(cell, seconds, kind="table", **more):
    data = {"seconds": {name: [t] * 12 for name, t in seconds.items()}, **more}
    return {"key": f"{kind} {cell.label}", "kind": kind, "cell": cell.to_json(), "status": "ok", "data": data,
            "lost": []}


LARGE = product((8192, 8192, 8192), "bfloat16")
LAYER = Cell("linear", 32768, 1024, 1024, "bfloat16", layout="nt")


def test_verdicts():
    fast = report.judge(record(LARGE, {"cuBLAS": 1.6e-3, "torch": 1.2e-3, "fastla": 1.5e-3}), "NVIDIA H100")
    assert fast.state == "met" and fast.rival == "cuBLAS"
    assert fast.ratio.median == pytest.approx(16 / 15)
    assert fast.tflops["fastla"] == pytest.approx(733.0, abs=0.1)
    assert fast.share == pytest.approx(0.741, abs=1e-3)
    layers = record(LAYER, {"torch fused": 1e-4, "torch addmm": 2e-4, "fastla": 1.25e-4})
    slow = report.judge(layers, "unknown")
    assert slow.state == "MISSED" and slow.rival == "torch fused" and slow.share is None
    integers = record(product((8, 8, 8), "int8"), {"cuBLAS": 1.0}, absent={"fastla": "no int8"})
    gone = report.judge(integers, "")
    assert gone.state == "not there" and gone.notes == ("fastla: no int8",)
    mean = pytest.approx((16 / 15 * 0.8) ** 0.5)
    assert report.means([fast, slow, gone]) == {"bfloat16": (mean, 2), "all": (mean, 2)}
    spread = record(LARGE, {"cuBLAS": 1.0, "fastla": 1.0})
    spread["data"]["seconds"]["fastla"] = [0.99, 1.02] * 6
    assert report.judge(spread, "").state == "open"


def test_the_cpu_and_the_gpu():
    shape = (32768, 1024, 1024)
    rows = [report.judge(record(cell, seconds), "") for cell, seconds in (
        (product(shape, "float32", precision="exact"), {"fastla": 2e-3, "cuBLAS": 1e-3}),
        (product(shape, "bfloat16"), {"fastla": 1e-4}))]
    names = ["NumPy, CPU", "fastla, CPU", "X, GPU and both copies"]
    one = record(product(shape, "float32"), dict(zip(names, (0.4, 0.2, 0.05), strict=True)), "processors")
    lines = report.processor_lines({"one": one}, rows)
    assert [line.split("  ")[1] for line in lines[:3]] == names
    assert [line.partition("CPU, ")[2] for line in lines[-3:]] == [
        "float32: 200.0 times as fast", "16 bits: 2000.0 times as fast",
        "with both copies: 4.0 times as fast"]


def results(folder):
    store = Store(folder)
    run = {"created": "2026-01-01T00:00:00", "git": "", "device": gpu_standin.FACTS, "host": {}}
    store.add("run", "ok", run)
    for one in (record(LARGE, {"cuBLAS": 1.6e-3, "fastla": 1.5e-3}), record(LAYER, {"torch fused": 1e-4})):
        store.add(one["key"], "ok", one["data"], kind=one["kind"], cell=one["cell"], lost=[])
    return store


def test_no_pictures_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "no pictures" in pages.write(results(tmp_path), 3)[-1]
    assert "3 steps are missing" in (tmp_path / "report.txt").read_text()


def test_pictures(tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    assert pages.write(results(tmp_path), 0) == ["report.json", "report.txt", "rates.png", "ratios.png"]
    assert (tmp_path / "rates.png").read_bytes()[:4] == b"\x89PNG"
    assert not plots.rates([], "", tmp_path / "none.png") and not plots.ratios([], "", tmp_path / "none.png")


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
