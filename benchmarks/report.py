"""Tables from results: Markdown by machine, the compact one in README.md, and the terminal's."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.results import Result, Timing
from benchmarks.stats import geometric_mean

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
MARK = {"win": "", "tie": "", "loss": " ▼", "": ""}
LEGEND = (
    "GFLOP/s of fastla, share of the FMA roof measured in the same process, speed ratio to the "
    "fastest rival (above 1: fastla is faster). ▼ marks a loss: the whole interval of the ratio is "
    "below 1. `dram` is the share of the memory bandwidth, where that is what limits."
)
RIVAL_LEGEND = (
    "GFLOP/s, and in brackets how many times faster fastla is, with the 95% interval of the "
    "median; ~ where too few rounds give less."
)

Column = tuple[str, int]


def columns(results: Iterable[Result]) -> list[Column]:
    return sorted({(r.cell.dtype, r.cell.threads) for r in results})


def by_shape(results: Iterable[Result]) -> dict[str, dict[Column, Result]]:
    """The grid's results, a row per shape, in the order of the shapes' sizes."""
    rows: dict[str, dict[Column, Result]] = defaultdict(dict)
    grid = [r for r in results if r.cell.in_grid]
    for result in sorted(grid, key=lambda r: (r.cell.kind == "linear", -r.cell.flops)):
        rows[result.cell.shape][result.cell.dtype, result.cell.threads] = result
    return rows


def share_text(result: Result) -> str:
    ours = result.ours
    if ours.share is None:
        return "-"
    dram = f", dram {result.dram_share:.0%}" if result.dram_share is not None else ""
    return f"{ours.share:.0%}{dram}"


def compact_entry(result: Result | None) -> str:
    if result is None:
        return "-"
    text = f"{result.ours.gflops:.3g}, {share_text(result)}"
    if (ratio := result.ratio) is not None:
        text += f", **{ratio.median:.2f}x**{MARK[result.verdict]}"
    return text


def compact_table(results: list[Result]) -> list[str]:
    """A row per shape, a column per dtype and thread count."""
    heads = columns(results)
    titles = [f"{dtype}, {count} thread{'s' * (count > 1)}" for dtype, count in heads]
    lines = [f"| m x n x k | {' | '.join(titles)} |", "|---" * (len(heads) + 1) + "|"]
    for shape, row in by_shape(results).items():
        entries = (compact_entry(row.get(head)) for head in heads)
        lines.append(f"| {shape} | {' | '.join(entries)} |")
    return [*lines, mean_row(results, heads)]


def mean_row(results: list[Result], heads: list[Column]) -> str:
    entries = []
    for head in heads:
        mean = geometric_mean(ratios(results, head))
        entries.append(f"**{mean:.2f}x**" if not math.isnan(mean) else "-")
    return f"| geometric mean of the ratios | {' | '.join(entries)} |"


def ratios(results: list[Result], head: Column, rival: str = "") -> list[float]:
    """fastla's ratios in the grid, to one rival, or without a name to the fastest of each cell."""
    found = []
    for result in results:
        timing = result.timings.get(rival or result.best_rival)
        if result.cell.in_grid and (result.cell.dtype, result.cell.threads) == head and timing:
            found += [timing.ratio.median] if timing.ratio else []
    return found


def rival_names(results: list[Result]) -> list[str]:
    return list(dict.fromkeys(n for r in results for n, t in r.timings.items() if t.ratio))


def rival_entry(timing: Timing | None) -> str:
    if timing is None or timing.ratio is None:
        return "-"
    ratio = timing.ratio
    rough = "~" if ratio.coverage < 0.9 else ""
    return f"{timing.gflops:.4g} ({rough}{ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}])"


def full_table(results: list[Result], head: Column) -> list[str]:
    """Every contender's rate for one dtype and thread count."""
    names = rival_names(results)
    lines = [
        f"\n### {head[0]}, {head[1]} thread{'s' * (head[1] > 1)}\n",
        f"| m x n x k | rounds | roof | fastla | % of roof (best quartile; at its clock) | "
        f"{' | '.join(names)} | path |",
        "|---" * (len(names) + 6) + "|",
    ]
    chosen = [r for r in results if (r.cell.dtype, r.cell.threads) == head]
    for r in sorted(chosen, key=lambda r: (r.cell.kind == "linear", -r.cell.flops)):
        best = r.ours.share_best_quartile
        clock = f"; {r.ours.share_at_clock:.0%}" if r.ours.share_at_clock is not None else ""
        share = f"{share_text(r)} ({best:.0%}{clock})" if best is not None else "-"
        rivals = " | ".join(rival_entry(r.timings.get(name)) for name in names)
        roof = f"{r.roof_gflops:.4g}" if r.roof_gflops else "-"
        lines.append(f"| {r.cell.shape}{MARK[r.verdict]} | {r.rounds} | {roof} | "
                     f"{r.ours.gflops:.4g} | {share} | {rivals} | {r.path} |")  # fmt: skip
    return lines


def heading(document: dict[str, Any]) -> str:
    machine = document["machine"]
    rivals = ", ".join(f"{r['name']} {r['version']} [{r['library']}]" for r in document["rivals"])
    subject = document["subject"]
    return (
        f"{machine['cpu']}, {machine['cpus_allowed']} CPUs{', virtual' * machine['hypervisor']}; "
        f"{document['created'][:10]}; fastla {subject['version']} ({subject['library']}); {rivals}."
    )


def markdown(document: dict[str, Any], results: list[Result]) -> str:
    lines = [f"# {heading(document)}", "", LEGEND, "", *compact_table(results)]
    lines += ["", "## Every contender", "", RIVAL_LEGEND]
    for head in columns(results):
        lines += full_table(results, head)
    if document["skipped"]:
        lines += ["", "## Skipped", ""]
        lines += [f"- {entry['cell']}: {entry['reason']}" for entry in document["skipped"]]
    if document["interrupted"]:
        lines += ["", "The run was interrupted: cells are missing."]
    return "\n".join(lines) + "\n"


def refresh_readme(readme: Path, document: dict[str, Any], results: list[Result]) -> None:
    """Replaces what stands between the two markers."""
    text = readme.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme} has no {BEGIN} ... {END}")
    body = "\n".join([heading(document), "", LEGEND, "", *compact_table(results)])
    readme.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}")


def terminal(results: list[Result]) -> str:
    """The end of a run: geometric means, and every loss by name."""
    lines = ["", "geometric means of fastla's speed ratio over the grid:"]
    names = rival_names(results)
    for head in columns(results):
        entries = [f"{n} {geometric_mean(ratios(results, head, n)):.2f}" for n in names]
        best = geometric_mean(ratios(results, head))
        lines.append(f"  {head[0]} {head[1]}t   best rival {best:.2f}   {'   '.join(entries)}")
    count = {kind: sum(r.verdict == kind for r in results) for kind in ("win", "tie", "loss")}
    lines.append(f"{count['win']} wins, {count['tie']} ties, {count['loss']} losses")
    losses = [r for r in results if r.verdict == "loss" and r.ratio]
    for r in sorted(losses, key=lambda r: r.ratio.median if r.ratio else 0):
        assert r.ratio is not None
        lines.append(f"  loss: {r.cell.label:40} {r.ratio.median:.2f} to {r.best_rival}")
    return "\n".join(lines)
