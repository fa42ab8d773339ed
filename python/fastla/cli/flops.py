"""``python -m fastla flops``: a published transformer's cost, part by part, on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..flops import MODELS, Cost, Roof


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fastla flops",
        description="Operations, bytes and least time of a forward pass, part by part.",
    )
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--tokens", type=int, default=512, help="of each sequence (default 512)")
    parser.add_argument("--batch", type=int, default=1, help="sequences (default 1)")
    parser.add_argument("--causal", action="store_true", help="leave out what a causal mask hides")
    parser.add_argument("--training", action="store_true", help="forward and backward pass")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--threads", type=int, default=None)
    return parser


def _line(part: str, cost: Cost, roof: Roof) -> str:
    time = cost.time(roof)
    bound = time.bound if time.seconds else "-"
    return (
        f"{part:<12} {cost.parameters:>13,} {cost.flops / 1e9:>12,.1f} {cost.bytes / 1e6:>12,.1f} "
        f"{cost.intensity:>9.1f} {time.seconds * 1e3:>12,.2f} {bound:>8}"
    )


def flops(words: Sequence[str]) -> int:
    """Print the table; the exit status."""
    parser = _parser()
    args = parser.parse_args(words)
    try:
        parts = MODELS[args.model].parts(args.batch, args.tokens, causal=args.causal, dtype=args.dtype)
        roof = Roof.measured(args.dtype, args.threads)
    except ValueError as error:
        parser.error(str(error))
    if args.training:
        parts = {part: cost.training() for part, cost in parts.items()}
    header = ("parameters", "GFLOP", "MB", "flop/byte", "ms", "bound")
    widths = (13, 12, 12, 9, 12, 8)
    print(f"{'part':<12}", *(f"{word:>{width}}" for word, width in zip(header, widths, strict=True)))
    for part, cost in parts.items():
        if cost != Cost():
            print(_line(part, cost, roof))
    print(_line("total", sum(parts.values(), Cost()), roof))
    print(f"roof: {roof.flops / 1e9:.1f} GFLOP/s {args.dtype}, {roof.bandwidth / 1e9:.1f} GB/s")
    return 0
