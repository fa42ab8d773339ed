"""The report of a run: report.json, report.txt, and pictures, from what is stored."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.gpu import plots, probe, report
from benchmarks.gpu.store import Store

SCHEMA = 1


def sanitized(store: Store) -> list[dict[str, Any]]:
    return [r["data"] for key, r in store.records.items() if key.startswith("sanitizer")]


def document(store: Store, left: int) -> dict[str, Any]:
    """All of it, as data. left: how many steps are missing."""
    run, steps = store.records["run"]["data"], store.steps
    rows = report.verdicts(steps, run["device"]["name"])
    return {
        "schema": SCHEMA,
        **run,
        "left": left,
        "problems": report.problems(steps),
        "means": {name: {"ratio": mean, "cells": n} for name, (mean, n) in report.means(rows).items()},
        "table": [row.to_json() for row in rows],
        "sanitizer": sanitized(store),
        "steps": list(steps.values()),
    }


def text(store: Store, left: int) -> str:
    run, steps = store.records["run"]["data"], store.steps
    rows = report.verdicts(steps, run["device"]["name"])
    versions = ", ".join(f"{name} {v}" for name, v in run["device"]["versions"].items())
    lines = [probe.line(run["device"]), versions, f"commit {run['git'] or '?'}, {run['created']}", ""]

    def part(title: str, found: list[str]) -> None:
        if found:
            lines.extend([title, *found, ""])

    part("Correctness, against float64, small integers, two launches, stacks and the CPU's bits:",
         report.check_lines(steps))  # fmt: skip
    part("Tuning:", report.tune_lines(steps))
    title = "TFLOP/s, share of the datasheet's roof, times as fast as cuBLAS (a layer: the best rival) [95%]:"
    part(title, [report.row_text(row) for row in rows])
    met = sum(row.state == "met" for row in rows)
    means = [f"  {name:18} {mean:.2f} of {n}" for name, (mean, n) in report.means(rows).items()]
    if means:
        part("Geometric means of the ratios:", [*means, f"  {met} of {len(rows)} rows reach what is asked"])
    part("Not there, or lost:", [f"  {row.cell.label}: {note}" for row in rows for note in row.notes])
    part("What a call takes in Python:", report.call_lines(steps))
    part("CPU and GPU, float32 if not said otherwise, 32768x1024 by 1024x1024:",
         report.processor_lines(steps, rows))  # fmt: skip
    part("compute-sanitizer:", [f"  {found['name']:28} {found['said']}" for found in sanitized(store)])
    part("What is wrong:", [f"  {line}" for line in report.problems(steps)])
    if left:
        lines.append(f"{left} steps are missing: the same command goes on from here")
    return "\n".join(lines).rstrip() + "\n"


def write(store: Store, left: int) -> list[str]:
    """Names of the files that were written, and a line for what was not."""
    written = ["report.json", "report.txt"]
    (store.folder / "report.json").write_text(json.dumps(document(store, left), indent=1) + "\n")
    (store.folder / "report.txt").write_text(text(store, left))
    run = store.records["run"]["data"]
    rows = report.verdicts(store.steps, run["device"]["name"])
    title = f"{run['device']['name']}, {run['created'][:10]}"
    try:
        for name, draw in (("rates", plots.rates), ("ratios", plots.ratios)):
            if draw(rows, title, store.folder / f"{name}.png"):
                written.append(f"{name}.png")
    except ImportError as error:
        written.append(f"no pictures: {error} (pip install matplotlib)")
    return written
