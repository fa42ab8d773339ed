"""NumPy patched as ``python -m fastla run`` was told, in the process it started and its children."""

from __future__ import annotations

import os
import sys

from . import _blas
from ._patch import patch_numpy


def patch() -> None:
    """Patch what FASTLA_RUN names; what cannot be had is said and left out, and the program runs."""
    parts = os.environ["FASTLA_RUN"].split(",")
    blas = "blas" in parts
    try:
        if blas:
            _blas.check()
    except RuntimeError as error:
        print(f"fastla run: {error}", file=sys.stderr)
        blas = False
    try:
        patch_numpy(loops="loops" in parts, operator="operator" in parts, blas=blas)
    except RuntimeError as error:
        print(f"fastla run: {error}", file=sys.stderr)
