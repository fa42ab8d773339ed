"""The command: ``python -m benchmarks.gpu --help``."""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastla.cuda
from benchmarks import machine
from benchmarks.gpu import pages, probe, report, sanitize
from benchmarks.gpu.runner import Runner, Step, steps
from benchmarks.gpu.store import Store
from benchmarks.gpu.worker import Worker

RESULTS = Path(__file__).parents[1] / "results"
BACKEND = "benchmarks.gpu.backend"
WRONG, INTERRUPTED = 2, 130
SANITIZER_SHARE = 0.97


def say(text: str) -> None:
    print(text, flush=True)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description="Checks, tunes and measures fastla on this machine's NVIDIA GPU.",
    )
    add = parser.add_argument
    add("--out", type=Path, metavar="DIR", help="default: benchmarks/results/gpu-<device>-<date>")
    add("--minutes", type=float, default=9.0, help="what it may take; default: 9")
    add("--since", type=float, metavar="EPOCH", help="when the minutes began, by `date +%%s`; default: now")
    add("--fresh", action="store_true", help="forget what an earlier run found in the folder")
    add("--only", default="", metavar="SUBSTR", help='e.g. "check", "table bfloat16", "tune float32"')
    add("--backend", default=BACKEND, help=argparse.SUPPRESS)  # tests have one of their own
    return parser.parse_args(arguments)


def brief(step: Step, record: dict[str, Any]) -> str:
    """A step's outcome, for the terminal."""
    data = record["data"]
    if step.kind == "check":
        wrong = list(data["wrong"].values())
        absent = sorted(set(data["absent"].values()))
        worst = max(data["worst"].values(), default=0.0)
        right = f"not there: {absent[0]}" if absent else f"right, {worst:.2g} of its bound"
        return f"WRONG {wrong[0]}" if wrong else right
    if step.kind == "tune":
        return data["choice"] or "nothing to choose from"
    if step.kind == "table":
        row = report.judge(record, "")
        rates = ", ".join(f"{name} {rate:.1f}" for name, rate in row.tflops.items())
        ratio = f"ratio {row.ratio.median:.2f} " if row.ratio else ""
        return f"{rates} TFLOP/s  {ratio}{row.state}"
    return ", ".join(f"{name} {1e6 * min(t):.1f} us" for name, t in data["seconds"].items())


def begin(store: Store, facts: dict[str, Any]) -> None:
    """What every result hangs on. A folder of another commit is told of."""
    git = machine.git_describe()
    known = store.records.get("run")
    if known is None:
        created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        data = {"created": created, "git": git, "device": facts, "host": machine.facts()}
        store.add("run", "ok", data)
    elif known["data"]["git"] != git:
        say(f"goes on with results of commit {known['data']['git']}, now at {git}: --fresh starts anew")


def sanitized(store: Store, backend: str, facts: dict[str, Any], left: Callable[[], float]) -> None:
    path = sanitize.tool()
    if path is None:
        said = "not installed: it comes with the CUDA toolkit"
        say(f"compute-sanitizer is {said}")
        if sanitize.key("tool") not in store.records:
            store.add(sanitize.key("tool"), "ok", {"name": "compute-sanitizer", "clean": None, "said": said})
        return
    for name in sanitize.names():
        if sanitize.key(name) not in store.records and left() > 5:
            found = sanitize.run_one(path, name, backend, facts, min(sanitize.LIMIT, left()))
            say(f"compute-sanitizer {name}: {found['said']}")
            if found["clean"] is not None or left() > 5:
                store.add(sanitize.key(name), "ok", found)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if (missing := fastla.cuda.missing()) is not None:
        say(missing)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: keep what there is
    facts = probe.facts()
    say(probe.line(facts))
    if (load := facts["smi"].get("utilization.gpu", "0 %")) != "0 %":
        say(f"the GPU is busy with something else ({load}): times will be worse")
    day = datetime.date.today().isoformat()
    folder = options.out or RESULTS / f"gpu-{machine.slug(facts['name'])}-{day}"
    store = Store(folder, options.fresh)
    begin(store, facts)
    chosen = [step for step in steps() if options.only in step.key]
    spent = time.time() - options.since if options.since else 0.0
    seconds = 60 * options.minutes - spent
    runner = Runner(store, Worker(options.backend, facts, folder / "worker.log"), seconds, say, brief)
    runner.run(chosen)
    if not runner.interrupted and not options.only:
        try:
            left = lambda: SANITIZER_SHARE * seconds - runner.passed()  # noqa: E731
            sanitized(store, options.backend, facts, left)
        except KeyboardInterrupt:
            runner.interrupted = True
    missing_steps = sum(step.key not in store.records for step in chosen)
    written = pages.write(store, missing_steps)
    say("\n" + pages.text(store, missing_steps))
    say(f"written in {folder}: {', '.join(written)}")
    if runner.interrupted:
        return INTERRUPTED
    return WRONG if report.problems(store.steps) else 0


if __name__ == "__main__":
    sys.exit(main())
