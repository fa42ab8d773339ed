"""From records to verdicts and tables: ratios, TFLOP/s, shares of the roofs, and what was asked for."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu.cells import CUBLAS, LAYERS, SUBJECT, Cell, product, target
from benchmarks.gpu.roofs import roof
from benchmarks.stats import Interval, geometric_mean, speed_ratio

Record = dict[str, Any]
Records = dict[str, Record]
NOT_THERE = "not there"


@dataclass(frozen=True)
class Verdict:
    """One row of the final table. ratio: how many times as fast as the rival fastla is."""

    cell: Cell
    tflops: dict[str, float]
    ratios: dict[str, Interval]
    rival: str
    share: float | None  # of what the datasheet allows
    asked: float
    notes: tuple[str, ...]

    @property
    def ratio(self) -> Interval | None:
        return self.ratios.get(self.rival)

    @property
    def state(self) -> str:
        """met: by the median; MISSED: the whole interval is below what is asked; else open."""
        if self.ratio is None:
            return NOT_THERE if SUBJECT not in self.tflops else "no rival"
        if self.ratio.median >= self.asked:
            return "met"
        return "MISSED" if self.ratio.high < self.asked else "open"

    def to_json(self) -> Record:
        ratios = {name: vars(ratio) for name, ratio in self.ratios.items()}
        return {"cell": self.cell.to_json(), "label": self.cell.label, "tflops": self.tflops,
                "ratios": ratios, "rival": self.rival, "share": self.share, "asked": self.asked,
                "state": self.state, "notes": self.notes}  # fmt: skip


def lost(record: Record) -> list[str]:
    return [f"{e['status']} at {e['at']!r}: {e['said']}" for e in record["lost"]]


def notes(record: Record) -> list[str]:
    """What went wrong in a step, or was not there."""
    data = record["data"]
    found = [f"{name}: {text}" for kind in ("wrong", "absent") for name, text in data.get(kind, {}).items()]
    return found + lost(record)


def rival_of(cell: Cell, seconds: dict[str, list[float]]) -> str:
    """cuBLAS, of a layer the fastest."""
    others = {name: statistics.median(t) for name, t in seconds.items() if name != SUBJECT}
    if cell.kind == "matmul" and CUBLAS in others:
        return CUBLAS
    return min(others, key=lambda name: others[name], default="")


def judge(record: Record, device: str) -> Verdict:
    cell, seconds = Cell(**record["cell"]), record["data"].get("seconds", {})
    names = sorted(seconds, key=lambda name: name != SUBJECT)
    tflops = {name: cell.flops / statistics.median(seconds[name]) / 1e12 for name in names}
    ratios = {}
    if SUBJECT in seconds:
        ratios = {name: speed_ratio(seconds[SUBJECT], t) for name, t in seconds.items() if name != SUBJECT}
    most = roof(device, cell)
    share = tflops[SUBJECT] / most if most and SUBJECT in tflops else None
    return Verdict(cell, tflops, ratios, rival_of(cell, seconds), share, target(cell), tuple(notes(record)))


def of_kind(records: Records, kind: str) -> list[Record]:
    return [record for record in records.values() if record["kind"] == kind]


def verdicts(records: Records, device: str) -> list[Verdict]:
    return [judge(record, device) for record in of_kind(records, "table")]


def means(rows: Iterable[Verdict]) -> dict[str, tuple[float, int]]:
    """Geometric means of the ratios by dtype and precision, and all together; of so many cells."""
    groups: dict[str, list[float]] = {}
    for row in rows:
        if row.ratio is not None:
            groups.setdefault(row.cell.numbers, []).append(row.ratio.median)
    if groups:
        groups["all"] = [ratio for ratios in groups.values() for ratio in ratios]
    return {name: (geometric_mean(ratios), len(ratios)) for name, ratios in groups.items()}


def problems(records: Records) -> list[str]:
    """Everything that is wrong, in a line each: answers first."""
    found = []
    for record in records.values():
        found += [f"WRONG {text}" for text in record["data"].get("wrong", {}).values()]
    for record in records.values():
        found += [f"LOST {record['key']}: {text}" for text in lost(record)]
    table = of_kind(records, "table")
    if table and not any(SUBJECT in record["data"].get("seconds", {}) for record in table):
        found.append("LOST everything: fastla has computed nothing of the table")
    return found


def check_lines(records: Records) -> list[str]:
    """Of each dtype and precision: how many cases, the worst error in bounds, what is not there."""
    groups: dict[str, list[Record]] = {}
    for record in of_kind(records, "check"):
        groups.setdefault(Cell(**record["cell"]).numbers, []).append(record)
    lines = []
    for name, found in groups.items():
        worst = [w for record in found for w in record["data"].get("worst", {}).values()]
        bad = sum(len(r["data"].get("wrong", {})) + len(r["lost"]) for r in found)
        absent = sorted({t for r in found for t in r["data"].get("absent", {}).values()})
        text = f"  {name:18} {len(worst)} right"
        text += f", worst error {max(worst):.3g} of its bound" if worst else ""
        text += f", {bad} WRONG OR LOST" if bad else ""
        lines.append(text + "".join(f"; {NOT_THERE}: {reason}" for reason in absent))
    return lines


def tune_lines(records: Records) -> list[str]:
    lines = []
    for record in of_kind(records, "tune"):
        data, cell = record["data"], Cell(**record["cell"])
        seconds, choice = data.get("seconds", {}), data.get("choice", "")
        if not choice:
            lines.append(f"  {cell.label:36} nothing to choose from: {'; '.join(notes(record)) or 'one way'}")
            continue
        text, model = f"  {cell.label:36} {choice}", data["model"]
        if choice != model and model in seconds:
            gain = statistics.median(seconds[model]) / statistics.median(seconds[choice])
            text += f", {gain:.2f} times as fast as the model's choice {model}"
        lines.append(text + f" (of {len(seconds) - (CUBLAS in seconds)})")
    return lines


def row_text(row: Verdict) -> str:
    ours = row.tflops.get(SUBJECT)
    text = f"  {row.cell.label:38}" + (f"{ours:8.1f}" if ours else f"{'-':>8}")
    text += f"{row.share:7.0%}" if row.share is not None else f"{'-':>7}"
    if row.ratio is not None:
        text += f"{row.ratio.median:7.2f} [{row.ratio.low:.2f}, {row.ratio.high:.2f}]"
        text += f"  asked {row.asked:.2f}: {row.state}"
    else:
        text += f"  {row.state}"
    rivals = [f"{name} {rate:.1f}" for name, rate in row.tflops.items() if name != SUBJECT]
    return text + "   " + ", ".join(rivals)


def call_lines(records: Records) -> list[str]:
    lines = []
    for record in of_kind(records, "calls"):
        medians = {name: statistics.median(t) for name, t in record["data"].get("seconds", {}).items()}
        told = [f"{name} {1e6 * value:.1f} us" for name, value in medians.items()]
        lines.append(f"  {Cell(**record['cell']).label:22} {', '.join(told)}")
        for name, value in medians.items():
            ours = medians.get(f"{SUBJECT}, {name} arrays")
            if ours is not None:
                state = "met" if ours <= value else "MISSED"
                lines.append(f"  {'':22} {value / ours:.2f} times as fast as {name}, asked 1.00: {state}")
        lines += [f"  {'':22} {note}" for note in notes(record)]
    return lines


def processor_lines(records: Records, rows: list[Verdict]) -> list[str]:
    """The same product on both processors, slowest first, in units of NumPy's speed on the CPU; and how many
    times as fast the GPU is, by what is the fastest on each."""
    seconds = {}
    for record in of_kind(records, "processors"):
        seconds |= {n: statistics.median(t) for n, t in record["data"].get("seconds", {}).items()}
    shape = product(LAYERS, "").shape
    for row in rows:
        if row.cell.shape == shape:
            for name, rate in row.tflops.items():
                if name in (SUBJECT, CUBLAS):  # cuBLAS has one way for float32
                    numbers = row.cell.numbers if name == SUBJECT else row.cell.dtype
                    seconds[f"{name}, GPU, {numbers}"] = row.cell.flops / rate / 1e12
    unit = seconds.get("NumPy, CPU")
    if unit is None:
        return []
    lines = [f"  {name:36} {1e3 * value:10.2f} ms {unit / value:10.1f}x"
             for name, value in sorted(seconds.items(), key=lambda pair: -pair[1])]  # fmt: skip
    cpu = min(value for name, value in seconds.items() if ", CPU" in name)
    for what, mark in (("float32", ", GPU, float32"), ("16 bits", "float16"), ("with both copies", "copies")):
        times = [value for name, value in seconds.items() if mark in name]
        if times:
            lines.append(f"  the GPU against the CPU, {what}: {cpu / min(times):.1f} times as fast")
    return lines
