"""The pictures: the size sweep under its roof line, and the ratios to the best rival as bars."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.report import by_shape, columns, rival_names
from benchmarks.results import SUBJECT, Result

# Okabe and Ito's palette: told apart by the colour-blind, too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#7F7F7F")
VERDICT_COLOURS = {"win": "#009E73", "tie": "#9A9A9A", "loss": "#D55E00"}


def pyplot() -> Any:
    """matplotlib's pyplot, drawing to files; raises ImportError where it is missing."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot

    return matplotlib.pyplot


def panel_title(dtype: str, threads: int) -> str:
    return f"{dtype}, {threads} thread{'s' * (threads > 1)}"


def draw_sweep(axes: Any, chosen: list[Result], names: list[str]) -> None:
    chosen = sorted(chosen, key=lambda r: r.cell.n)
    for colour, name in zip(COLOURS, names, strict=False):
        points = [(r.cell, r.timings[name]) for r in chosen if name in r.timings]
        if not points:
            continue
        ours = name == SUBJECT
        sizes = [cell.n for cell, _ in points]
        axes.plot(sizes, [t.gflops for _, t in points], marker="o", ms=3.5, color=colour,
                  label=name, lw=2.2 if ours else 1.4, zorder=3 if ours else 2)  # fmt: skip
        low = [cell.flops / t.quartile_high / 1e9 for cell, t in points]
        high = [cell.flops / t.quartile_low / 1e9 for cell, t in points]
        axes.fill_between(sizes, low, high, color=colour, alpha=0.15, lw=0)
    roofs = [(r.cell.n, r.roof_gflops) for r in chosen if r.roof_gflops]
    if roofs:
        axes.plot(*zip(*roofs, strict=True), color="black", ls="--", lw=1.2, label="FMA roof")
    sizes = [r.cell.n for r in chosen]
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(n) if n & (n - 1) == 0 else "" for n in sizes])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)


def sweep_plot(results: list[Result], title: str, path: Path) -> bool:
    swept = [r for r in results if r.cell.in_sweep]
    heads = columns(swept)
    if not heads:
        return False
    plt = pyplot()
    dtypes = sorted({dtype for dtype, _ in heads})
    counts = sorted({count for _, count in heads})
    figure, grid = plt.subplots(len(dtypes), len(counts), squeeze=False, layout="constrained",
                                figsize=(5.2 * len(counts), 3.6 * len(dtypes)))  # fmt: skip
    names = [SUBJECT, *rival_names(swept)]
    for row, dtype in zip(grid, dtypes, strict=True):
        for axes, count in zip(row, counts, strict=True):
            draw_sweep(axes, [r for r in swept if (r.cell.dtype, r.cell.threads) == (dtype, count)],
                       names)  # fmt: skip
            axes.set_title(panel_title(dtype, count), fontsize=10)
        row[0].set_ylabel("GFLOP/s")
    for axes in grid[-1]:
        axes.set_xlabel("n, for an n x n x n product")
    # A rival may have been measured in some panels only.
    named = {
        label: handle
        for axes in grid.flat
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    labels = list(named)
    figure.legend(named.values(), labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return True


def draw_ratios(axes: Any, rows: list[Result | None]) -> None:
    """Bars from 1 to the ratio, with the interval as a line; a missing result leaves a gap."""
    for place, result in enumerate(rows):
        if result is None or (ratio := result.ratio) is None:
            continue
        colour = VERDICT_COLOURS[result.verdict]
        axes.barh(place, ratio.median - 1, left=1, height=0.68, color=colour)
        axes.plot([ratio.low, ratio.high], [place, place], color="black", lw=1)
        # In a column at the panel's edge, which limits() keeps free of bars.
        axes.annotate(f"{ratio.median:.2f}", (1, place), xycoords=("axes fraction", "data"),
                      xytext=(-4, 0), textcoords="offset points", va="center", ha="right",
                      fontsize=8, color=colour if result.verdict == "loss" else "black",
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
    axes.axvline(1, color="black", lw=0.8)


def limits(results: list[Result]) -> tuple[float, float]:
    """Holds every median and, on the right, its number; longer intervals are cut."""
    medians = [r.ratio.median for r in results if r.ratio]
    low, high = min([0.9, *medians]) / 1.12, max([1.1, *medians]) * 1.12
    return low, high * (high / low) ** 0.2


def ticks(low: float, high: float) -> list[float]:
    """Few enough that their numbers do not touch, on a logarithmic axis."""
    span = high / low
    by_span = [(2, (1, 1.2, 1.5, 8)), (6, (1, 1.5, 2, 3, 5, 7)), (60, (1, 2, 5)), (math.inf, (1,))]
    steps = next(steps for most, steps in by_span if span <= most)
    candidates = [step * 10.0**power for power in range(-4, 5) for step in steps]
    return [tick for tick in candidates if low <= tick <= high]


def ratio_plot(results: list[Result], title: str, path: Path) -> bool:
    table = by_shape(results)
    heads = columns(r for r in results if r.cell.in_grid and r.ratio)
    if not heads:
        return False
    plt = pyplot()
    from matplotlib.ticker import NullLocator

    size = (2.4 + 2.7 * len(heads), 1.6 + 0.27 * len(table))
    figure, panels = plt.subplots(1, len(heads), sharey=True, squeeze=False, figsize=size,
                                  layout="constrained")  # fmt: skip
    shown = limits([r for r in results if r.cell.in_grid])
    for axes, head in zip(panels[0], heads, strict=True):
        draw_ratios(axes, [row.get(head) for row in table.values()])
        axes.set_xscale("log")
        axes.set_xlim(*shown)
        marks = ticks(*shown)
        axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(panel_title(*head), fontsize=10)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    panels[0][0].set_yticks(range(len(table)), list(table), fontsize=8)
    panels[0][0].invert_yaxis()
    figure.supxlabel("speed ratio to the fastest rival (above 1: fastla is faster)", fontsize=9)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return True
