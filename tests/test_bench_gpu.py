"""benchmarks.gpu on a stand-in for the device: what is asked of answers, and what a run survives."""

import functools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from process import HERE

sys.path.insert(0, str(Path(__file__).parents[1]))

import gpu_standin

import fastla.cuda
from benchmarks.gpu import __main__ as command
from benchmarks.gpu import report, sanitize
from benchmarks.gpu.cells import Cell, checked, product, table, tuned
from benchmarks.gpu.runner import PHASES, Runner, Step, steps
from benchmarks.gpu.store import Store
from benchmarks.gpu.worker import Outcome, Worker

ROOT = Path(__file__).parents[1]
SMALL = product((20, 24, 30), "float32")
STEPS = [Step("check", SMALL), Step("tune", SMALL), Step("table", SMALL),
         Step("table", product((8, 8, 8), "float8_e4m3fn")), Step("calls", SMALL), Step("processors", SMALL)]


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
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["left"] == 0 and told["problems"] == []
    (row, absent) = told["table"]
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
    assert "hung at 'large tiles'" in report.problems(records)[0]


def test_a_contender_that_crashes(tmp_path):
    records = runner(tmp_path, [STEPS[2]], {"crash": "cuBLAS"})
    record = records[STEPS[2].key]
    (lost,) = record["lost"]
    assert record["status"] == "ok" and lost["at"] == "cuBLAS" and lost["said"] == "exit status -11"
    assert set(record["data"]["seconds"]) == {"fastla", "torch.matmul"}


def test_a_contender_that_the_device_does_not_survive(tmp_path):
    records = runner(tmp_path, [STEPS[2]], {"gone": "cuBLAS"})
    (lost,) = records[STEPS[2].key]["lost"]
    assert lost["status"] == "failed" and lost["at"] == "cuBLAS" and "the context is gone" in lost["said"]
    assert set(records[STEPS[2].key]["data"]["seconds"]) == {"fastla", "torch.matmul"}


def test_minutes_count_from_when_they_are_said_to_begin(gpu, tmp_path, capsys):
    arguments = ["--out", str(tmp_path), "--backend", "gpu_standin", "--since", str(time.time() - 900)]
    assert command.main(arguments) == 0
    assert "6 steps are missing: the same command goes on" in capsys.readouterr().out


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
    Runner(Store(tmp_path), fake, 3.0, print, lambda step, record: "").run(STEPS)
    assert fake.done == ["table", "table", "calls", "processors"]  # a share of 3 s is over at once for others
    said = []
    records = runner(tmp_path / "late", [STEPS[2]], {"hang": "fastla"}, said, minutes=0.1)
    assert records == {} and "no time left" in said[0]


MANY = [Step("check", product((4, n, 4), "float32")) for n in range(2, 40)]
PROGRAM = """if True:
    import sys
    sys.path[:0] = {paths!r}
    import test_bench_gpu as tests
    if __name__ == "__main__":
        tests.command.probe.facts = lambda: {{**tests.gpu_standin.FACTS, "faults": {{"slow": 0.02}}}}
        tests.command.steps = lambda: tests.MANY
        tests.fastla.cuda.missing = lambda: None
        tests.sanitize.tool = lambda: None
        sys.exit(tests.command.main(["--out", {folder!r}, "--backend", "gpu_standin"]))
"""


def ended_early(folder, number):
    """The command, sent a signal when some steps are done: its exit status, and what is stored."""
    script = folder / "script.py"
    script.write_text(PROGRAM.format(paths=[str(ROOT), HERE], folder=str(folder)))
    # What a shell starts in the background ignores Ctrl-C, and so would the command, of tests that are there.
    listens = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.DEVNULL, preexec_fn=listens)
    path, end = folder / "steps.jsonl", time.monotonic() + 60
    while not path.exists() or len(path.read_text().splitlines()) < 4:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(number)
    status = process.wait(timeout=60)
    return status, Store(folder).steps


def test_a_kill_leaves_what_there_is(tmp_path):
    status, known = ended_early(tmp_path, signal.SIGKILL)
    assert status == -signal.SIGKILL and 3 <= len(known) < len(MANY)
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write('{"key": "check cut o')
    records = runner(tmp_path, MANY)
    assert {key for key in records if key != "run"} == {one.key for one in MANY}
    assert all(records[key] == known[key] for key in known)


def test_control_c_leaves_a_report(tmp_path):
    status, known = ended_early(tmp_path, signal.SIGINT)
    assert status == 130 and 3 <= len(known) < len(MANY)
    told = json.loads((tmp_path / "report.json").read_text())
    assert len(told["steps"]) == len(known) and told["left"] == len(MANY) - len(known)


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
