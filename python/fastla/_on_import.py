"""Do something right after a module of another library has been imported.

Plain classes with a finder's and a loader's methods: importing `importlib.abc` for its base classes would
be most of the time that ``import fastla`` takes.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import Loader


class _Then:
    """The other library's loader, and then what is to be done."""

    def __init__(self, loader: Loader, then: Callable[[], object]) -> None:
        self._loader = loader
        self._then = then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._loader  # what the module keeps is its own loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._then()


class _Watcher:
    def __init__(self, name: str, then: Callable[[], object]) -> None:
        self._name = name
        self._then = then

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Then(spec.loader, self._then)  # type: ignore[assignment]
        return spec


def call(name: str, then: Callable[[], object]) -> None:
    """Call `then` as soon as module `name` has been imported."""
    sys.meta_path.insert(0, _Watcher(name, then))
