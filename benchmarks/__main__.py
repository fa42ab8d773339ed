"""The command: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from benchmarks import machine, plots, report
from benchmarks.results import SUBJECT, Result, from_json
from benchmarks.runner import Contest, Runner
from benchmarks.shapes import Cell, cells
from benchmarks.worker import Missing

RESULTS = Path(__file__).parent / "results"
SCHEMA = 1


def say(text: str) -> None:
    print(text, flush=True)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures fastla against the libraries found here, and saves tables and plots.",
    )
    add = parser.add_argument
    add("--rivals", choices=["default", "all"], default="default",
        help="default: NumPy, SciPy, $FASTLA_RIVAL_CBLAS; all: PyTorch, JAX, too")  # fmt: skip
    add("--out", type=Path, default=RESULTS, metavar="DIR", help="where the results go")
    add("--quick", action="store_true", help="a few small shapes, in about 40 s")
    add("--threads", metavar="1,2", help="thread counts; default: 1 and all")
    add("--only", default="", metavar="SUBSTR", help='e.g. "64x64x64", "float32 1t", "linear"')
    add("--budget", type=float, metavar="SECONDS",
        help="default: 240; with --rivals all 300; with --quick 45")  # fmt: skip
    add("--readme", type=Path, metavar="FILE", help="refresh the table between its markers")
    add("--from", dest="source", type=Path, metavar="JSON", help="report on this; measure nothing")
    return parser.parse_args(arguments)


def thread_counts(text: str | None, default: int) -> list[int]:
    return sorted({int(part) for part in text.split(",")} if text else {1, default})


def default_budget(options: argparse.Namespace) -> float:
    """Leaves room for the build within 6 minutes."""
    return 45.0 if options.quick else 300.0 if options.rivals == "all" else 240.0


def measure(options: argparse.Namespace) -> tuple[dict[str, Any], list[Result]]:
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    facts = machine.facts()
    budget = options.budget or default_budget(options)
    with Contest(options.rivals) as contest:
        counts = thread_counts(options.threads, contest.facts[SUBJECT]["default_threads"])
        chosen = cells(counts, options.quick, options.only)
        announce(facts, contest, chosen)
        outcome = Runner(contest, budget, say).run(chosen)
    settings = ("FASTLA_", "OMP_", "OPENBLAS_", "MKL_", "JAX_", "XLA_")
    document = {
        "schema": SCHEMA,
        "created": created,
        "seconds": round(outcome.seconds, 1),
        "command": sys.argv[1:],
        "git": machine.git_describe(),
        "machine": facts,
        "environment": {name: os.environ[name] for name in os.environ if name.startswith(settings)},
        "subject": contest.facts[SUBJECT],
        "rivals": [entry for name, entry in contest.facts.items() if name != SUBJECT],
        "missing": contest.missing,
        "interrupted": outcome.interrupted,
        "roofs": outcome.roofs,
        "skipped": outcome.skipped,
        "results": [result.to_json() for result in outcome.results],
    }
    return document, outcome.results


def announce(facts: dict[str, Any], contest: Contest, chosen: list[Cell]) -> None:
    load = facts["load_average"]
    say(f"{facts['cpu']}, {facts['cpus_allowed']} of {facts['cpus']} CPUs, "
        f"{' '.join(facts['features'])}" + (f", load {load[0]:.1f}" if load else ""))  # fmt: skip
    for entry in contest.facts.values():
        note = f" ({entry['note']})" if entry["note"] else ""
        say(f"  {entry['name']} {entry['version']}: {entry['library']}{note}")
    for line in contest.missing:
        say(f"  {line}")
    say(f"{len(chosen)} cells of shape (m x n x k), dtype and threads")


def save(
    document: dict[str, Any], results: list[Result], options: argparse.Namespace, stem: str
) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    base = options.out / stem
    written = [base.with_name(f"{stem}.md")]
    written[0].write_text(report.markdown(document, results))
    if not options.source:
        written.append(base.with_name(f"{stem}.json"))
        written[-1].write_text(json.dumps(document, indent=1) + "\n")
    title = f"{document['machine']['cpu']}, {document['created'][:10]}"
    try:
        for name, draw in (("sweep", plots.sweep_plot), ("ratios", plots.ratio_plot)):
            path = base.with_name(f"{stem}-{name}.png")
            if draw(results, title, path):
                written.append(path)
    except ImportError as error:
        say(f"no plots: {error} (pip install matplotlib)")
    say("written: " + ", ".join(str(path) for path in written))


def file_stem(document: dict[str, Any], options: argparse.Namespace) -> str:
    """The CPU, the kernel row in force (a virtual machine's CPU name says little) and the day."""
    isa = next((row["isa"] for row in document["subject"]["kernels"] if row["chosen"]), "")
    partial = options.only or options.threads or document["interrupted"]
    part = "-quick" if options.quick else "-part" if partial else ""
    return f"{machine.slug(document['machine']['cpu'])}-{isa}-{document['created'][:10]}{part}"


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: keep what there is
    if options.source:
        document = json.loads(options.source.read_text())
        results = [from_json(entry) for entry in document["results"]]
        stem = options.source.stem
    else:
        try:
            document, results = measure(options)
        except Missing as error:
            say(f"fastla cannot be measured: {error} (pip install .)")
            return 1
        except KeyboardInterrupt:
            say("interrupted before anything was measured")
            return 130
        stem = file_stem(document, options)
    if not results:
        say("nothing was measured")
        return 1
    say(report.terminal(results))
    save(document, results, options, stem)
    if options.readme:
        report.refresh_readme(options.readme, document, results)
    return 130 if document["interrupted"] else 0


if __name__ == "__main__":
    sys.exit(main())
