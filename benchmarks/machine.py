"""The facts that a result is worth nothing without: CPU, caches, load, commit."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

# Instruction sets that matter to a matrix product; the rest of the flags is noise.
FEATURES = ("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl",
            "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16",
            "asimd", "sve")  # fmt: skip


def cpu_lines() -> dict[str, str]:
    """The first processor's entries in /proc/cpuinfo; empty where there is none."""
    try:
        block = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def caches() -> list[dict[str, str]]:
    found = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            names = ("level", "type", "size", "shared_cpu_list")
            found.append({name: (index / name).read_text().strip() for name in names})
        except OSError:
            continue
    return found


def largest_cache_bytes() -> int:
    sizes = [int(cache["size"].rstrip("K")) * 1024 for cache in caches() if "K" in cache["size"]]
    return max(sizes, default=32 << 20)


def git_describe() -> str:
    command = ["git", "describe", "--always", "--dirty", "--tags"]
    here = Path(__file__).parent
    try:
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def facts() -> dict[str, Any]:
    lines = cpu_lines()
    flags = set((lines.get("flags") or lines.get("Features") or "").split())
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return {
        "cpu": lines.get("model name") or platform.processor() or platform.machine(),
        "family": lines.get("cpu family", ""),
        "model": lines.get("model", ""),
        "features": [name for name in FEATURES if name in flags],
        "caches": caches(),
        "cpus": os.cpu_count(),
        "cpus_allowed": len(affinity) or os.cpu_count(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else [],
        "hypervisor": "hypervisor" in flags,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def slug(cpu: str) -> str:
    """A file name from a CPU's name: "AMD EPYC 7763 64-Core Processor" gives amd-epyc-7763."""
    name = re.sub(r"\((r|tm)\)|\d+-core|processor|cpu|@.*", " ", cpu.lower())
    return re.sub(r"[^a-z0-9]+", "-", name).strip("-") or "unknown"
