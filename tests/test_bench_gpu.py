"""benchmarks.gpu on a stand-in for the device: what is asked of answers, and what a run survives."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from process import HERE

sys.path.insert(0, str(Path(__file__).parents[1]))

import gpu_standin

import fastla
import fastla.cuda
from benchmarks.gpu import __main__ as command
from benchmarks.gpu import check, measure, pages, problems, sanitize
from benchmarks.gpu.cells import Cell, checked, product, table, tuned
from benchmarks.gpu.runner import PHASES, Runner, Step, steps
from benchmarks.gpu.store import Store
from benchmarks.gpu.worker import Outcome, Worker

ROOT = Path(__file__).parents[1]
SMALL = product((20, 24, 30), "float32")
STEPS = [Step("check", SMALL), Step("tune", SMALL), Step("table", SMALL),
         Step("table", product((8, 8, 8), "float8_e4m3fn")), Step("calls", SMALL), Step("processors", SMALL)]


def bench(**faults):
    return gpu_standin.open_bench({**gpu_standin.FACTS, "faults": faults})


def quiet(what):
    pass


def runner(folder, chosen, faults=None, said=None, minutes=1.0):
    """Runs the steps in a worker; the records."""
    store = Store(folder)
    facts = {**gpu_standin.FACTS, "faults": faults or {}}
    worker = Worker("gpu_standin", facts, folder / "worker.log")
    one = Runner(store, worker, 60 * minutes, (said if said is not None else []).append, command.brief)
    one.run(chosen)
    return store.records


@pytest.fixture
def gpu(monkeypatch):
    """This machine as one with a GPU, and few small steps."""
    monkeypatch.setattr(fastla.cuda, "missing", lambda: None)
    monkeypatch.setattr(command.probe, "facts", lambda: gpu_standin.FACTS)
    monkeypatch.setattr(command, "steps", lambda: STEPS)
    monkeypatch.setattr(sanitize, "tool", lambda: None)


def test_no_gpu_is_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(fastla.cuda, "missing", lambda: "the CUDA driver finds no device")
    assert command.main(["--out", str(tmp_path / "results")]) == 1
    assert capsys.readouterr().out == "the CUDA driver finds no device\n"
    assert not (tmp_path / "results").exists()


def test_a_run_and_what_it_leaves(gpu, tmp_path, capsys):
    arguments = ["--out", str(tmp_path), "--backend", "gpu_standin", "--minutes", "2"]
    assert command.main(arguments) == 0
    said = capsys.readouterr().out
    assert "compute-sanitizer is not installed" in said
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["left"] == 0 and report["problems"] == []
    (row, absent) = report["table"]
    assert row["state"] == "met" and row["ratios"]["cuBLAS"]["median"] == pytest.approx(2)
    assert row["tflops"]["fastla"] == pytest.approx(SMALL.flops / 1e-3 / 1e12)
    assert absent["state"] == "not there"
    text = (tmp_path / "report.txt").read_text()
    assert text in said and "large tiles, 3.00 times as fast as the model's choice small tiles" in text
    assert "fastla: there is no float8_e4m3fn" in text and "NumPy, CPU" in text
    before = (tmp_path / "steps.jsonl").read_text()
    assert command.main(arguments) == 0
    assert "6 of 6 steps are known; --fresh starts anew" in capsys.readouterr().out
    assert (tmp_path / "steps.jsonl").read_text() == before
    assert command.main([*arguments, "--fresh", "--only", "calls"]) == 0
    assert set(Store(tmp_path).records) == {"run", STEPS[4].key}


def test_wrong_answers_are_what_a_run_ends_with(gpu, tmp_path, monkeypatch):
    monkeypatch.setitem(gpu_standin.FACTS, "faults", {"wrong": ["fastla"]})
    assert command.main(["--out", str(tmp_path), "--backend", "gpu_standin"]) == 2
    text = (tmp_path / "report.txt").read_text()
    assert "4 WRONG OR LOST" in text and "a product of small integers is wrong" in text


def test_a_candidate_that_hangs_is_killed_and_reported(tmp_path, monkeypatch):
    monkeypatch.setitem(PHASES, "tune", (0.9, 1.0))
    said = []
    records = runner(tmp_path, [STEPS[1], STEPS[2]], {"hang": "large tiles"}, said)
    (lost,) = records[STEPS[1].key]["lost"]
    assert lost["status"] == "hung" and lost["at"] == "large tiles"
    assert records[STEPS[1].key]["data"]["choice"] == "huge tiles"
    assert records[STEPS[2].key]["status"] == "ok"
    assert any("hung at 'large tiles'" in line for line in said)
    assert "hung at 'large tiles'" in pages.report.problems(records)[0]


def test_a_contender_that_crashes(tmp_path):
    records = runner(tmp_path, [STEPS[2]], {"crash": "cuBLAS"})
    record = records[STEPS[2].key]
    (lost,) = record["lost"]
    assert record["status"] == "ok" and lost["at"] == "cuBLAS" and lost["said"] == "exit status -11"
    assert set(record["data"]["seconds"]) == {"fastla", "torch.matmul"}


def test_errors_of_a_contender(monkeypatch, tmp_path):
    """It is left out; where the device is gone after it, the process is too."""
    found = measure.measure(bench(**{"raise": "cuBLAS"}), SMALL, [], quiet)
    assert found["absent"]["cuBLAS"] == "RuntimeError: cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED"
    records = runner(tmp_path, [STEPS[2]], {"gone": "cuBLAS"})
    (lost,) = records[STEPS[2].key]["lost"]
    assert lost["status"] == "failed" and lost["at"] == "cuBLAS" and "the context is gone" in lost["said"]
    assert set(records[STEPS[2].key]["data"]["seconds"]) == {"fastla", "torch.matmul"}


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


class Fake:
    """A worker that does nothing, and is interrupted after some steps."""

    def __init__(self, most):
        self.most, self.done = most, []

    def do(self, kind, cell, avoid, limit, left):
        if len(self.done) == self.most:
            raise KeyboardInterrupt
        self.done.append(kind)
        return Outcome("ok", {})

    def close(self):
        pass


def test_an_interrupted_run_goes_on(tmp_path):
    done = []
    for most in (2, 9):
        fake = Fake(most)
        one = Runner(Store(tmp_path), fake, 60.0, done.append, lambda step, record: "")
        one.run(STEPS)
        assert one.interrupted == (most == 2)
        assert len(fake.done) == (2 if most == 2 else 4)


def test_time_that_is_up(tmp_path):
    fake = Fake(9)
    Runner(Store(tmp_path), fake, 3.0, quiet, lambda step, record: "").run(STEPS)
    assert fake.done == ["table", "table", "calls", "processors"]  # a share of 3 s is over at once for others
    said = []
    records = runner(tmp_path / "late", [STEPS[2]], {"hang": "fastla"}, said, minutes=0.1)
    assert records == {} and "no time left" in said[0]


def test_a_kill_leaves_what_there_is(tmp_path):
    code = f"""if True:
        import sys
        sys.path[:0] = [{str(ROOT)!r}, {HERE!r}]
        import test_bench_gpu as t
        from pathlib import Path
        if __name__ == "__main__":
            steps = [t.Step("check", t.product((4, n, 4), "float32")) for n in range(2, 40)]
            t.runner(Path({str(tmp_path)!r}), steps, {{"slow": 0.02}})
    """
    script = tmp_path / "script.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.DEVNULL)
    path = tmp_path / "steps.jsonl"
    end = time.monotonic() + 60
    while not path.exists() or len(path.read_text().splitlines()) < 3:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with path.open("a") as file:
        file.write('{"key": "check cut o')
    known = Store(tmp_path).records
    assert 3 <= len(known) < 38
    records = runner(tmp_path, [Step("check", product((4, n, 4), "float32")) for n in range(2, 40)])
    assert len(records) == 38 and all(records[key] == known[key] for key in known)


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
    for cell in (product((4, 5, 600), "float32", precision="exact"), product((130, 70, 0), "float64"),
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


def test_what_is_asked_for():
    """What issue and documentation promise: shapes, dtypes, no step twice."""
    keys = [one.key for one in steps()]
    assert len(set(keys)) == len(keys)
    for dtype in ("bfloat16", "float16"):
        for shape in ((8192, 8192, 8192), (4096, 16384, 4096), (32768, 1024, 1024), (512, 512, 512)):
            assert product(shape, dtype) in table() and product(shape, dtype) in tuned()
        assert product((512, 512, 64), dtype, count=64) in table()
    assert {cell.dtype for cell in checked()} == {"float32", "float64", "float16", "bfloat16"}
    assert any(cell.k == 0 for cell in checked()) and any(cell.count > 1 for cell in checked())
    assert Cell(**table()[0].to_json()) == table()[0]
