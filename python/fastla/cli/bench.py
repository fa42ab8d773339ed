"""``python -m fastla bench``: the benchmarks of the source tree, of which the installed package has none."""

from __future__ import annotations

import importlib
import pathlib
import sys
from collections.abc import Sequence


def bench(words: Sequence[str]) -> int:
    """Run `python -m benchmarks`, or, with --cuda, `python -m benchmarks.gpu`; the exit status."""
    name = "benchmarks.gpu" if "--cuda" in words else "benchmarks"
    if not pathlib.Path(*name.split("."), "__main__.py").is_file():
        print("the benchmarks are in fastla's source tree: run this in its top folder", file=sys.stderr)
        return 1
    if (here := str(pathlib.Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    main = importlib.import_module(f"{name}.__main__").main
    return int(main([word for word in words if word != "--cuda"]))
