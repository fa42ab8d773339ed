"""The facts about the device, by the driver alone, and the versions of what is installed."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import shutil
import subprocess
from typing import Any

ATTRIBUTES = {
    "major": "COMPUTE_CAPABILITY_MAJOR", "minor": "COMPUTE_CAPABILITY_MINOR",
    "multiprocessors": "MULTIPROCESSOR_COUNT", "l2_bytes": "L2_CACHE_SIZE", "clock_khz": "CLOCK_RATE",
    "memory_clock_khz": "MEMORY_CLOCK_RATE", "memory_bus_bits": "GLOBAL_MEMORY_BUS_WIDTH",
    "shared_bytes": "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN",
}  # fmt: skip
PACKAGES = ("fastla", "numba-cuda", "cuda-bindings", "nvidia-nvvm", "nvidia-nvjitlink", "cupy-cuda13x",
            "cupy-cuda12x", "cupy", "torch", "nvidia-cublas", "numpy", "ml_dtypes")  # fmt: skip
QUERY = ("driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem", "power.limit", "temperature.gpu",
         "utilization.gpu")  # fmt: skip


def versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def smi(bus: str, run: Any = subprocess.run) -> dict[str, str]:
    """What nvidia-smi says of the device at that PCI address; nothing where it is not."""
    command = [shutil.which("nvidia-smi") or "nvidia-smi", "-i", bus, f"--query-gpu={','.join(QUERY)}",
               "--format=csv,noheader"]  # fmt: skip
    try:
        done = run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return {}
    lines = done.stdout.splitlines()
    return dict(zip(QUERY, map(str.strip, lines[0].split(",")), strict=False)) if lines else {}


def facts(number: int = 0) -> dict[str, Any]:
    """Of a device. Call fastla.cuda.missing() before."""
    driver = importlib.import_module("cuda.bindings.driver")

    def ask(name: str, *arguments: Any) -> Any:
        status, *values = getattr(driver, name)(*arguments)
        if getattr(status, "name", "") != "CUDA_SUCCESS":
            raise RuntimeError(f"{name}: {getattr(status, 'name', status)}")
        return values[0] if values else None

    ask("cuInit", 0)
    device = ask("cuDeviceGet", number)

    def text(name: str, most: int, *arguments: Any) -> str:
        found = ask(name, most, *arguments)
        return found.decode().rstrip("\0") if isinstance(found, bytes) else str(found)

    kinds = driver.CUdevice_attribute
    found: dict[str, Any] = {
        "name": text("cuDeviceGetName", 100, device),
        "driver_cuda": ask("cuDriverGetVersion"),
        "memory_bytes": int(ask("cuDeviceTotalMem", device)),
    }
    for key, attribute in ATTRIBUTES.items():
        try:
            kind = getattr(kinds, f"CU_DEVICE_ATTRIBUTE_{attribute}")
            found[key] = int(ask("cuDeviceGetAttribute", kind, device))
        except (AttributeError, RuntimeError):
            found[key] = 0  # not told by this driver
    return {**found, "smi": smi(text("cuDeviceGetPCIBusId", 20, device)), "versions": versions()}


def line(facts: dict[str, Any]) -> str:
    """The device in a line."""
    smi, clock = facts["smi"], facts["clock_khz"] / 1e3
    now = f", now {smi['clocks.sm']}" if "clocks.sm" in smi else ""
    cuda = facts["driver_cuda"]
    return (
        f"{facts['name']}, sm_{facts['major']}{facts['minor']}, {facts['multiprocessors']} multiprocessors, "
        f"{facts['memory_bytes'] / 2**30:.0f} GiB, L2 {facts['l2_bytes'] / 2**20:.0f} MiB, "
        f"up to {clock:.0f} MHz{now}; driver {smi.get('driver_version', '?')}, "
        f"CUDA {cuda // 1000}.{cuda % 1000 // 10}"
    )
