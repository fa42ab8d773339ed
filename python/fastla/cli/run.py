"""``python -m fastla run``: a program as it is, with NumPy patched.

An interpreter takes this one's place that has a sitecustomize of ours first on its PYTHONPATH. So the program
runs under Python itself, whose arguments, exit status, standard input and tracebacks need no imitation, and
nothing has imported NumPy before.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import sys
from collections.abc import Sequence
from typing import NoReturn


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fastla run",
        usage="%(prog)s [options] [script.py | -m module | -c code | -] [arguments]",
        description="Run a program, and the Python processes that it starts, with NumPy patched.",
    )
    either = argparse.BooleanOptionalAction
    parser.add_argument("--loops", action=either, default=True, help="numpy.matmul and its like (default)")
    parser.add_argument("--operator", action=either, default=False, help="a @ b before NumPy's dispatch")
    parser.add_argument(
        "--blas", action=either, default=False, help="GEMM, GEMV and SYRK that NumPy and SciPy call"
    )
    return parser


def _options_of_python() -> list[str]:
    """What stood before ``-m fastla`` on the command line."""
    count = len(sys.orig_argv) - len(sys.argv) + 1
    text = re.sub(r"m\0?fastla$", "", "\0".join(sys.orig_argv[1:count]))
    return [word for word in text.split("\0") if word not in ("", "-")]


def _environment(parts: Sequence[str]) -> dict[str, str]:
    site = str(pathlib.Path(__file__).with_name("site"))
    others = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and p != site]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([site, *others]), "FASTLA_RUN": ",".join(parts)}


def run(words: Sequence[str]) -> NoReturn:
    """Become Python running the program that `words` name after options of ours."""
    parser = _parser()
    count = next((i for i, w in enumerate(words) if not w.startswith("--") and w != "-h"), len(words))
    options, program = parser.parse_args(words[:count]), list(words[count:])
    if program and re.match(r"-(?![mc]|$)", program[0]):
        parser.error(f"options of Python, such as {program[0]}, stand before -m fastla")
    if sys.flags.ignore_environment or sys.flags.no_site:
        parser.error("takes PYTHONPATH and sitecustomize, which Python leaves out with -E, -I and -S")
    parts = [name for name in ("loops", "operator", "blas") if getattr(options, name)]
    os.execve(sys.executable, [sys.executable, *_options_of_python(), *program], _environment(parts))
