"""benchmarks.gpu's checks, choices and bounds, on a stand-in for the device."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import gpu_standin

import fastla
from benchmarks.gpu import check, measure, problems, sanitize
from benchmarks.gpu.cells import product

SMALL = product((20, 24, 30), "float32")


def bench(**faults):
    return gpu_standin.open_bench({**gpu_standin.FACTS, "faults": faults})


def quiet(what):
    pass


def test_an_error_leaves_a_rival_out():
    found = measure.measure(bench(**{"raise": "cuBLAS"}), SMALL, [], quiet)
    assert found["absent"]["cuBLAS"] == "RuntimeError: cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED"
    assert set(found["seconds"]) == {"fastla", "torch.matmul"}


def test_a_wrong_candidate_is_never_chosen():
    one = bench(wrong=["large tiles"])
    found = measure.tune(one, SMALL, [], quiet)
    assert found["choice"] == one.fastla.kept == "huge tiles"
    assert "large tiles" in found["wrong"] and "large tiles" not in found["seconds"]
    one = bench(wrong=list(gpu_standin.CANDIDATES))
    assert measure.tune(one, SMALL, [], quiet)["choice"] == "" and one.fastla.kept is None


def test_a_wrong_rival_is_not_timed():
    found = measure.measure(bench(wrong=["cuBLAS"]), SMALL, [], quiet)
    assert "cuBLAS" in found["wrong"] and set(found["seconds"]) == {"fastla", "torch.matmul"}


def test_rivals_may_round_sums_of_parts():
    """As cuBLAS may; operands taken for something else are seen all the same."""
    cell = product((64, 64, 256), "bfloat16")
    one = bench()
    answer = problems.Answer(one.device, cell)

    def in_parts(p, swapped=False):
        a, b = (x.astype(np.float32) for x in (p.a, p.b))
        halves = [(x @ y).astype(p.out.dtype) for x, y in ((a[:, :128], b[:128]), (a[:, 128:], b[128:]))]
        p.out[...] = (a.T if swapped else halves[0] + halves[1])[:64, :64]

    answer.ask("cuBLAS", lambda p: lambda: in_parts(p), rival=True)
    with pytest.raises(problems.Wrong, match="small integers"):
        answer.ask("fastla", lambda p: lambda: in_parts(p))
    with pytest.raises(problems.Wrong, match="bounds off"):
        answer.ask("cuBLAS", lambda p: lambda: in_parts(p, True), rival=True)


def test_no_more_candidates_than_said(monkeypatch):
    one = bench()
    many = [(str(i), one.fastla.prepare) for i in range(30)]
    monkeypatch.setattr(one.fastla, "candidates", lambda problem: many)
    assert len(measure.tune(one, SMALL, [], quiet)["seconds"]) == measure.MOST_CANDIDATES + 1


def test_what_a_check_sees():
    assert set(check.check(bench(), SMALL, [], quiet)["worst"]) == {"nn", "nt", "tn", "tt"}
    seen = check.check(bench(wrong=["fastla"]), SMALL, ["nt"], quiet)
    assert set(seen["wrong"]) == {"nn", "tn", "tt"}


def broken(monkeypatch, change):
    """A stand-in whose results are changed: change(problem, number of the call)."""
    one, count = bench(), [0]
    compute = one.fastla.compute

    def wrong(problem):
        compute(problem)
        count[0] += 1
        change(problem, count[0])

    monkeypatch.setattr(one.fastla, "compute", wrong)
    return one


def step(x):
    x[..., 0, 0] = np.nextafter(x[..., 0, 0], np.float32(np.inf))


@pytest.mark.parametrize("cell, change, said", [
    (SMALL, lambda p, i: p.out.__setitem__((3, 4), np.nan), "bounds off"),
    (SMALL, lambda p, i: step(p.out) if i == 2 else None, "a second launch has other bits"),
    (product((4, 5, 6), "float32", count=3), lambda p, i: step(p.out) if p.out.ndim == 2 else None, "alone"),
    (product((4, 5, 600), "float32", precision="exact"), lambda p, i: None, "are not the CPU's"),
    (SMALL, lambda p, i: step(p.out), "small integers"),
    (product((4, 4, 16000), "bfloat16"), lambda p, i: p.out.__setitem__((0, 0), p.out[0, 0] * 1.01), "small"),
], ids=["unwritten", "launches", "stack", "bits", "last bit", "one term"])
def test_faults_are_seen(monkeypatch, cell, change, said):
    with pytest.raises(problems.Wrong, match=said):
        check.check_one(broken(monkeypatch, change), cell)


def test_exact_products_have_the_bits_of_the_cpu(monkeypatch):
    one = bench()
    monkeypatch.setattr(one.fastla, "compute", lambda p: fastla.matmul(p.a, p.b, out=p.out))
    for cell in (product((4, 5, 600), "float32", precision="exact"),
                 product((4, 5, 600), "float16", precision="exact"), product((130, 70, 0), "float64"),
                 product((3, 20, 1100), "float64", precision="exact", count=3)):
        found = check.check(one, cell, [], quiet)
        assert len(found["worst"]) == 4 and not found["wrong"], found


def test_the_bound_of_tensor_cores_covers_sums_that_are_cut():
    """Four products at a time, each cut to the place of the largest: the worst that is known of hardware.
    Of numbers of one sign, so that errors add up."""
    rng, k = np.random.default_rng(3), 512
    a, b = (rng.uniform(1, 2, (400, k)).astype(np.float16).astype(float) for _ in range(2))
    total = np.zeros(400)
    for at in range(0, k, 4):
        terms = np.column_stack([total, a[:, at:at + 4] * b[:, at:at + 4]])
        unit = 2.0 ** (np.frexp(abs(terms).max(axis=1))[1] - 24)[:, None]
        total = (np.trunc(terms / unit) * unit).sum(axis=1)
    error = abs(total - (a * b).sum(axis=1)) / (abs(a) * abs(b)).sum(axis=1)
    bound = problems.sum_bound(product((1, 1, k), "float16"))
    assert bound / 8 < error.max() < bound


def test_operands_exceed_the_cache():
    device = gpu_standin.Device()
    found = problems.rotating(device, product((8, 8, 8), "float32"), 200)
    assert len(found) * found[0].cell.bytes > 2 * device.l2_bytes
    assert len({p.a.ctypes.data for p in found}) == len(found)
    assert len(problems.rotating(device, SMALL, 200)) == 3


def test_a_sanitizer_that_finds_something(monkeypatch):
    def run(command, **options):
        assert command[1:3] == ["--tool", "racecheck"] and "gpu_standin" in command
        return subprocess.CompletedProcess(command, sanitize.FOUND, "", "========= Error: a race\n")

    found = sanitize.run_one("tool", "racecheck float32", "gpu_standin", gpu_standin.FACTS, 9.0, run)
    assert found["clean"] is False and "Error: a race" in found["said"]

    def late(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    found = sanitize.run_one("tool", "memcheck float32", "gpu_standin", gpu_standin.FACTS, 9.0, late)
    assert found["clean"] is None and "9 s" in found["said"]


@pytest.mark.parametrize("dtype", sanitize.DTYPES)
def test_the_sanitized_program(dtype):
    assert sanitize.main("gpu_standin", dtype, json.dumps(gpu_standin.FACTS)) == 0
    wrong = {**gpu_standin.FACTS, "faults": {"wrong": ["fastla"]}}
    assert sanitize.main("gpu_standin", dtype, json.dumps(wrong)) == 1
