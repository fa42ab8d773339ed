"""benchmarks.gpu's verdicts, tables and pictures, from given times."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import gpu_standin

from benchmarks.gpu import pages, plots, report, roofs
from benchmarks.gpu.cells import Cell, product
from benchmarks.gpu.store import Store


@pytest.mark.parametrize("name, dtype, precision, rate", [
    ("NVIDIA H100 80GB HBM3", "bfloat16", "highest", 989), ("NVIDIA H100 PCIe", "float16", "highest", 756),
    ("NVIDIA H200", "float32", "exact", 67), ("NVIDIA H200", "float32", "high", 165),
    ("NVIDIA H200", "float64", "exact", 34), ("NVIDIA H200", "float64", "highest", 67),
    ("NVIDIA A100-SXM4-80GB", "int8", "highest", 624), ("NVIDIA A10G", "bfloat16", "highest", None),
    ("NVIDIA L40S", "float32", "high", 91.6), ("NVIDIA L4", "float16", "highest", 121)])
def test_datasheets(name, dtype, precision, rate):
    assert roofs.roof(name, product((8192, 8192, 8192), dtype, precision=precision)) == rate


def test_thin_products_are_bound_by_memory():
    """8192 x 8192 results of 16 bits, and operands of 128: 138 MB at 3350 GB/s, for 17.2 GFLOP."""
    assert roofs.roof("NVIDIA H100", product((8192, 8192, 128), "bfloat16")) == pytest.approx(415.9, abs=1)


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
    assert report.problems({"a": layers, "b": integers}) == []
    assert report.problems({"b": integers}) == ["LOST everything: fastla has computed nothing of the table"]
    spread = record(LARGE, {"cuBLAS": 1.0, "fastla": 1.0})
    spread["data"]["seconds"]["fastla"] = [1.06, 1.1] * 6
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
