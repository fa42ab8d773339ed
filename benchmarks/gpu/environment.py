"""The environment of `make bench-gpu`: a virtual one that sees the packages of the Python that runs this.

So a PyTorch or CuPy with its CUDA is used as it is, and nothing is fetched that is there. What cannot be had,
as without a network, is said, and done without; only fastla itself must be there: built, or from a wheel.

    python benchmarks/gpu/environment.py .venv-gpu [dist/fastla-....whl]
"""

from __future__ import annotations

import ctypes
import pathlib
import site
import subprocess
import sys
import tomllib
import venv
from collections.abc import Sequence

# A module that shows that a requirement is met, by the requirement's beginning.
MODULES = {"numba-cuda": "numba.cuda.compiler", "cupy": "cupy", "ml_dtypes": "ml_dtypes",
           "matplotlib": "matplotlib", "scikit-build-core": "scikit_build_core", "pybind11": "pybind11",
           "cython": "Cython", "cmake": "cmake", "ninja": "ninja", "numpy": "numpy"}  # fmt: skip
INSTALL = ("-m", "pip", "install", "-q", "--retries", "0", "--timeout", "10")


def run(python: pathlib.Path, *words: str) -> bool:
    return subprocess.run([python, *words], check=False).returncode == 0


def make(folder: pathlib.Path) -> pathlib.Path:
    """The environment's Python. One made from another virtual environment sees that one's packages, too."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, system_site_packages=True, with_pip=True)
        if sys.prefix != sys.base_prefix:
            (packages,) = (folder / "lib").glob("python*/site-packages")
            (packages / "parent.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return python


def lacking(python: pathlib.Path, requirements: Sequence[str]) -> list[str]:
    """Requirements without their module. That one is imported: what is installed may not work."""
    found = []
    for requirement in requirements:
        module = next(module for name, module in MODULES.items() if requirement.startswith(name))
        done = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
        found += [requirement] if done.returncode else []
    return found


def install_fastla(python: pathlib.Path, wheel: str, tools: Sequence[str]) -> bool:
    if wheel:
        return run(python, *INSTALL, "--no-deps", "--no-index", "--force-reinstall", wheel)
    for requirement in lacking(python, tools):
        run(python, *INSTALL, requirement)
    print("== Building fastla (a minute or two)", flush=True)
    return run(python, *INSTALL, "--no-build-isolation", "--no-deps", "--force-reinstall", ".")


def main(folder: str, wheel: str = "") -> int:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        print("no CUDA driver: libcuda.so.1 is not there")
        return 1
    project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())
    python = make(pathlib.Path(folder))
    for requirement in lacking(python, project["project"]["optional-dependencies"]["bench-gpu"]):
        print(f"== Installing {requirement}", flush=True)
        if not run(python, *INSTALL, requirement):
            print(f"== {requirement} cannot be had here: it is done without", flush=True)
    if not install_fastla(python, wheel, [*project["build-system"]["requires"], "cmake", "ninja"]):
        print("fastla cannot be built here. Run `make wheel` where it can, bring the wheel from dist/ and")
        print("    make bench-gpu WHEEL=dist/fastla-....whl")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
