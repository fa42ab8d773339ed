"""Extension modules that are compiled here and now, and the examples of docs/compiled.md."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig

import pytest

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "compiled.md"


def example(language):
    """The one fenced block of a language."""
    if not PAGE.exists():
        pytest.skip("needs the source tree")
    block, = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    return block


def build(folder, name, source, *flags):
    """Compiles C, or Cython by its suffix ("name.pyx"), and imports the module."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    include = sysconfig.get_path("include")
    if not compiler or not os.path.exists(os.path.join(include, "Python.h")):
        pytest.skip("needs a C compiler and Python's headers")
    stem, _, suffix = name.partition(".")
    (folder / name).write_text(source)
    if suffix == "pyx":
        pytest.importorskip("Cython")
        subprocess.run([sys.executable, "-m", "cython", "-3", name], cwd=folder, check=True)
    library = folder / (stem + sysconfig.get_config_var("EXT_SUFFIX"))
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-I", include, *flags, f"{stem}.c", "-o", library],
                   cwd=folder, check=True)
    spec = importlib.util.spec_from_file_location(stem, library)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
