"""NumPy's own tests with functions of fastla in the place of NumPy's."""

import ast
import importlib.util
import pathlib

import numpy as np
import pytest


class NumPyWith:
    """The numpy module, but for some names."""

    def __init__(self, **ours):
        self.__dict__.update(ours)

    def __getattr__(self, name):
        return getattr(np, name)


def source(package, name):
    """The file of NumPy's tests `name` of a package; without it the whole module is skipped."""
    spec = importlib.util.find_spec(package)
    path = pathlib.Path(spec.origin).parent / "tests" / f"{name}.py" if spec else None
    if path is None or not path.exists():
        pytest.skip("needs NumPy 2 installed with its tests", allow_module_level=True)
    return path


def compiled(path, choose, numpy, **ours):
    """The scope of the module in which those definitions and statements were run that `choose` returned.

    In it `np` is `numpy`, and names that the module imports from NumPy are `ours` where given.
    """
    nodes = ast.parse(path.read_text()).body
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    chosen = [new for node in nodes if node not in imports and (new := choose(node)) is not None]
    package = ".".join(path.parts[path.parts.index("numpy"):-1])
    scope = {"__name__": f"{package}.{path.stem}", **ours}
    for part in (imports, chosen):
        tree = ast.fix_missing_locations(ast.Module(part, []))
        exec(compile(tree, str(path), "exec"), scope)
        scope.update(np=numpy, **ours)
    return scope
