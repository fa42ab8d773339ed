"""How fast layers are at each batch: ``python -m benchmarks.batch_effect [--threads 2] [--out FOLDER]``

Few rows leave a product waiting for its weights. Rates are of the multiply-adds of the forward pass, as a
share of fastla's rate in a square product, 1024^3, measured in the same rounds. Beside it the same with
weights packed before (fastla.pack), and PyTorch, if it is there.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastla
from benchmarks.plots import COLOURS, panel_title, pyplot
from benchmarks.timer import Sample, batch_size, interleave, time_batch, warm_up
from fastla import flops, nn

try:
    import torch  # type: ignore[import-not-found]
except ImportError:
    torch = None

Call = Callable[[], Any]
NETWORKS = {"784-256-128-64-10": (784, 256, 128, 64, 10), "one layer, 1024-1024": (1024, 1024)}
BATCHES = [2**i for i in range(13)]
SQUARE = 1024


def _square() -> Call:
    a, b = np.random.default_rng(0).standard_normal((2, SQUARE, SQUARE), np.float32)
    out = np.empty_like(a)
    return lambda: fastla.matmul(a, b, out=out)


def _packed(model: nn.MLP, x: Any) -> Call:
    """The same network, its weights packed once."""
    p = model.parameters
    *inner, last = [(fastla.pack(p[f"{i}.weight"]), p[f"{i}.bias"]) for i in range(len(p) // 2)]

    def call() -> Any:
        h = x
        for w, b in inner:
            h = fastla.linear(h, w, b, activation="relu")
        return fastla.linear(h, *last)

    assert np.array_equal(call(), model(x))
    return call


def _theirs(model: nn.MLP, sizes: tuple[int, ...], x: Any) -> Call:
    """PyTorch's forward pass of the same network, whose answer is the same."""
    layers: list[Any] = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        layers += [torch.nn.ReLU()] * (i > 0) + [torch.nn.Linear(n_in, n_out)]
        with torch.no_grad():
            layers[-1].weight.copy_(torch.from_numpy(model.parameters[f"{i}.weight"]))
            layers[-1].bias.copy_(torch.from_numpy(model.parameters[f"{i}.bias"]))
    network, tensor = torch.nn.Sequential(*layers), torch.from_numpy(x)

    def call() -> Any:
        with torch.inference_mode():
            return network(tensor)

    np.testing.assert_allclose(call().numpy(), model(x), rtol=1e-3, atol=1e-3)
    return call


def _sampler(call: Call) -> Callable[[], Sample]:
    call()
    count = batch_size(call, time_batch(call, 1))

    def sample() -> Sample:
        warm_up(call, fastla.get_num_threads())
        return Sample(time_batch(call, count))

    return sample


def measure(sizes: tuple[int, ...], batch: int, seconds: float) -> dict[str, tuple[float, float]]:
    """GFLOP/s, and the share of the square product's rate, of each library: medians over rounds."""
    model = nn.MLP(sizes, rng=0)
    x = np.random.default_rng(1).standard_normal((batch, sizes[0]), np.float32)
    calls: dict[str, Call] = {"square": _square(), "fastla": lambda: model(x)}
    calls["packed"] = _packed(model, x)
    if torch is not None:
        calls["PyTorch"] = _theirs(model, sizes, x)
    samplers = {name: _sampler(call) for name, call in calls.items()}
    seen = interleave(samplers, seconds=seconds, min_rounds=5).seconds
    work = flops.mlp(sizes, rows=batch).flops
    made = {}
    for name in [name for name in seen if name != "square"]:
        pairs = zip(seen[name], seen["square"], strict=True)
        share = statistics.median(work / t / (2 * SQUARE**3 / s) for t, s in pairs)
        made[name] = work / statistics.median(seen[name]) / 1e9, share
    return made


def draw(found: dict[str, dict[int, dict[str, tuple[float, float]]]], threads: int, path: Path) -> None:
    plt = pyplot()
    figure, panels = plt.subplots(1, len(found), sharey=True, squeeze=False, layout="constrained",
                                  figsize=(5.2 * len(found), 3.8))  # fmt: skip
    for axes, (network, rows) in zip(panels[0], found.items(), strict=True):
        for colour, name in zip(COLOURS, next(iter(rows.values())), strict=False):
            shares = [100 * row[name][1] for row in rows.values()]
            axes.plot(list(rows), shares, marker="o", ms=3.5, color=colour, label=name)
        axes.axhline(90, color="black", ls="--", lw=1, label="90%")
        axes.set_xscale("log", base=2)
        axes.set_xticks(list(rows), [str(batch) for batch in rows], fontsize=7)
        axes.minorticks_off()
        axes.set_title(network, fontsize=10)
        axes.set_xlabel("batch")
        axes.grid(alpha=0.3)
    panels[0][0].set_ylim(bottom=0)
    panels[0][0].set_ylabel(f"% of the rate of {SQUARE}$^3$")
    panels[0][-1].legend(loc="lower right", frameon=False)
    figure.suptitle(f"Forward pass, {panel_title('float32', threads)}", fontsize=11)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch_effect", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each batch; 5 rounds at least")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for batch-effect.png")
    options = parser.parse_args()
    fastla.set_num_threads(options.threads)
    if torch is None:
        print("PyTorch is not there and left out")
    else:
        torch.set_num_threads(options.threads)
    found: dict[str, dict[int, dict[str, tuple[float, float]]]] = {}
    for network, sizes in NETWORKS.items():
        print(f"{network}, {options.threads} thread(s): GFLOP/s and share of the rate of {SQUARE}^3")
        found[network] = {}
        for batch in BATCHES:
            row = found[network][batch] = measure(sizes, batch, options.seconds)
            told = (f"{name} {rate:7.1f} {share:6.1%}" for name, (rate, share) in row.items())
            print(f"{batch:>6}  {'   '.join(told)}", flush=True)
    path = options.out / "batch-effect.png"
    try:
        draw(found, options.threads, path)
    except ImportError:
        print("no picture: matplotlib is not there")
    else:
        print(f"drawn: {path}")


if __name__ == "__main__":
    main()
