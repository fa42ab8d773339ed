"""Small ragged products under NVIDIA's compute-sanitizer, where it is installed.

The checked program (this module's `main`) makes operands and looks at results on the CPU, so that fastla's
kernels are all that runs on the device.
"""

from __future__ import annotations

import glob
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.gpu.cells import HALVES, product
from benchmarks.gpu.problems import Problem, sum_bound

TOOLS = ("memcheck", "racecheck", "synccheck")
DTYPES = (*HALVES, "float32", "float64")
SHAPES = ((127, 129, 131), (257, 130, 70))
FOUND = 86  # exit status of a tool that found something
LIMIT = 60.0


def tool() -> str | None:
    """The path of compute-sanitizer."""
    homes = [os.environ.get("CUDA_HOME", ""), "/usr/local/cuda", *sorted(glob.glob("/usr/local/cuda-*"))]
    paths = [os.path.join(home, "bin") for home in homes if home]
    return shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path=os.pathsep.join(paths))


def names() -> list[str]:
    return [f"{check} {dtype}" for check in TOOLS for dtype in DTYPES]


def key(name: str) -> str:
    return f"sanitizer {name}"


def run_one(
    path: str, name: str, backend: str, facts: dict[str, Any], limit: float,
    run: Callable[..., Any] = subprocess.run,
) -> dict[str, Any]:  # fmt: skip
    """What one tool says of one dtype."""
    check, dtype = name.split()
    command = [path, "--tool", check, "--error-exitcode", str(FOUND), "--print-limit", "5", sys.executable,
               "-m", "benchmarks.gpu.sanitize", backend, dtype, json.dumps(facts)]  # fmt: skip
    try:
        done = run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"name": name, "clean": None, "said": f"not ready after {limit:.0f} s"}
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode == 0:
        return {"name": name, "clean": True, "said": "nothing found"}
    told = next((line for line in lines if "Error" in line or "ERROR SUMMARY" in line), "")
    return {"name": name, "clean": False, "said": f"exit status {done.returncode}: {told.strip()}",
            "lines": lines[:60]}  # fmt: skip


def main(backend: str, dtype: str, facts: str) -> int:
    bench = importlib.import_module(backend).open_bench(json.loads(facts))
    rng, device = np.random.default_rng(0), bench.device
    for m, n, k in SHAPES:
        cell = product((m, n, k), dtype, precision="exact" if dtype in ("float32", "float64") else "highest")
        a, b = rng.integers(-4, 5, (m, k)).astype(float), rng.integers(-4, 5, (k, n)).astype(float)
        out = device.put(np.full((m, n), np.nan), dtype)
        bench.fastla.prepare(Problem(cell, device.put(a, dtype), device.put(b, dtype), out))()
        device.synchronize()
        bound = sum_bound(cell) * (abs(a) @ abs(b)) + 2.0**-8 * abs(a @ b)
        if not (abs(device.get(out) - a @ b) <= bound).all():
            print(f"Error: {cell.label} is wrong")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
