"""The pictures: rates of all contenders under what the datasheet allows, and the ratios to what was asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.gpu.cells import SUBJECT
from benchmarks.gpu.report import Verdict
from benchmarks.gpu.roofs import roof
from benchmarks.plots import COLOURS, VERDICT_COLOURS, pyplot, ticks


def rates(rows: list[Verdict], title: str, path: Path) -> bool:
    """A panel for each dtype and precision: bars of TFLOP/s, and a line at what the datasheet allows."""
    rows = [row for row in rows if row.tflops]
    groups: dict[str, list[Verdict]] = {}
    for row in rows:
        groups.setdefault(row.cell.numbers, []).append(row)
    if not groups:
        return False
    plt = pyplot()
    names = list(dict.fromkeys([SUBJECT, *(name for row in rows for name in row.tflops)]))
    colours = dict(zip(names, COLOURS, strict=False))
    heights = [len(found) + 0.9 for found in groups.values()]
    figure, panels = plt.subplots(len(groups), 1, squeeze=False, layout="constrained",
                                  figsize=(9, 0.62 * sum(heights) + 1),
                                  gridspec_kw={"height_ratios": heights})  # fmt: skip
    for axes, (numbers, found) in zip(panels[:, 0], groups.items(), strict=True):
        draw_rates(axes, found, colours, title.partition(",")[0])
        axes.set_title(numbers, fontsize=10, loc="left")
    panels[-1, 0].set_xlabel("TFLOP/s; the dashed line is what the datasheet allows")
    handles = [plt.Rectangle((0, 0), 1, 1, color=colours[name]) for name in names]
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return True


def draw_rates(axes: Any, rows: list[Verdict], colours: dict[str, str], device: str) -> None:
    for place, row in enumerate(rows):
        height = 0.84 / len(row.tflops)
        for i, (name, rate) in enumerate(row.tflops.items()):
            at = place - 0.42 + (i + 0.5) * height
            axes.barh(at, rate, height=0.92 * height, color=colours[name])
            axes.annotate(f"{rate:.4g}", (rate, at), xytext=(3, 0), textcoords="offset points",
                          va="center", fontsize=6)  # fmt: skip
        if (most := roof(device, row.cell)) is not None:
            axes.plot([most, most], [place - 0.45, place + 0.45], color="black", ls="--", lw=1)
    axes.set_yticks(range(len(rows)), [row.cell.shape for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.06, y=0.02)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def ratios(rows: list[Verdict], title: str, path: Path) -> bool:
    """Bars from 1 to the ratio, with its interval; a mark where it should reach."""
    rows = [row for row in rows if row.ratio is not None]
    if not rows:
        return False
    plt = pyplot()
    from matplotlib.ticker import NullLocator

    figure, axes = plt.subplots(figsize=(9, 1.5 + 0.27 * len(rows)), layout="constrained")
    for place, row in enumerate(rows):
        assert row.ratio is not None
        colour = VERDICT_COLOURS["win" if row.state == "met" else "loss"]
        axes.barh(place, row.ratio.median - 1, left=1, height=0.68, color=colour)
        axes.plot([row.ratio.low, row.ratio.high], [place, place], color="black", lw=1)
        axes.plot([row.asked, row.asked], [place - 0.4, place + 0.4], color="black", lw=2)
        axes.annotate(f"{row.ratio.median:.2f}", (1, place), xycoords=("axes fraction", "data"),
                      xytext=(-4, 0), textcoords="offset points", va="center", ha="right",
                      fontsize=8)  # fmt: skip
    medians = [row.ratio.median for row in rows if row.ratio] + [row.asked for row in rows]
    low, high = min([0.9, *medians]) / 1.1, max([1.1, *medians]) * 1.1
    high *= (high / low) ** 0.12  # room for the numbers
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    marks = ticks(low, high)
    axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(y=0.02)
    axes.set_yticks(range(len(rows)), [row.cell.label for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.set_xlabel("times as fast as cuBLAS, layers as the fastest rival; the black mark is what is asked")
    axes.set_title(title, fontsize=11)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return True
