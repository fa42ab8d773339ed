"""The command line: ``python -m fastla info``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .. import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["run"]:  # what it runs has arguments of its own
        from .run import run

        run(words[1:])
    if words[:1] == ["bench"]:
        from .bench import bench

        return bench(words[1:])
    if words[:1] == ["flops"]:
        from .flops import flops

        return flops(words[1:])
    parser = argparse.ArgumentParser(prog="python -m fastla", description="Fast, exact-by-contract products.")
    parser.add_argument("--version", action="version", version=f"fastla {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="versions, CPU, kernels, thread settings")
    commands.add_parser("run", help="run a program with NumPy patched", add_help=False)
    commands.add_parser("bench", help="run the source tree's benchmarks; --cuda: on a GPU", add_help=False)
    commands.add_parser("flops", help="operations, bytes and times of a transformer", add_help=False)
    roof = commands.add_parser("roof", help="measure peak multiply-add rate and memory bandwidth")
    roof.add_argument("--threads", type=int, default=None)
    tests = commands.add_parser("selftest", help="compare every kernel of this CPU with plain loops")
    tests.add_argument("--seed", type=int, default=None)
    args = parser.parse_args(words)
    if args.command == "info":
        from .._config import show_config

        show_config()
    elif args.command == "selftest":
        from .._selftest import selftest as test_all

        report = test_all(seed=args.seed)
        print(report)
        return 0 if report.ok else 1
    else:
        from .._runtime import roof as measure

        result = measure(args.threads)
        for name, rate in result.flops.items():
            print(f"{name}: {rate * 1e-9:.1f} GFLOP/s on {result.num_threads} thread(s), {result.isa}")
        print(f"memory: {result.bandwidth * 1e-9:.1f} GB/s read")
    return 0
