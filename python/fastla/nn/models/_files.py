"""Weights in Hugging Face's folders: config.json, and model.safetensors in one piece or several."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._extra import package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_WEIGHTS, _INDEX, _CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
_DTYPES = ("F64", "F32", "F16", "BF16")


class Place(NamedTuple):
    """Where a parameter is stored: the tensors whose rows it has, and how many of each; or transposed."""

    names: tuple[str, ...]
    rows: tuple[int, ...] = ()
    transposed: bool = False

    def parts(self, array: NDArray[Any]) -> list[tuple[str, NDArray[Any]]]:
        """Views of the parameter, as each tensor is stored."""
        pieces = np.split(array, np.cumsum(self.rows, dtype=int)[:-1])
        return [(n, p.T if self.transposed else p) for n, p in zip(self.names, pieces, strict=True)]


def read_config(folder: str | os.PathLike[str], model_type: str) -> dict[str, Any]:
    """config.json, of a model of that type."""
    path = Path(folder) / _CONFIG
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if config.get("model_type") != model_type:
        raise ValueError(
            f"{path}: model_type is {config.get('model_type')!r}; it must be {model_type!r}"
        )
    return config


def write_config(folder: str | os.PathLike[str], config: Mapping[str, Any]) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (Path(folder) / _CONFIG).write_text(text, encoding="utf-8")


class Stored:
    """The tensors of a folder, by the names that `canonical` gives them; None: of no use here."""

    def __init__(self, folder: str | os.PathLike[str], canonical: Callable[[str], str | None]):
        self.folder = Path(folder)
        open_file = package("safetensors").safe_open
        index = self.folder / _INDEX
        if index.exists():
            files = sorted(
                set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            )
        else:
            files = [_WEIGHTS]
        self.found: dict[str, tuple[Any, str]] = {}
        for file in files:
            tensors = open_file(self.folder / file, framework="np")
            for stored in tensors.keys():
                name = canonical(stored)
                if name is not None:
                    self.found[name] = (tensors, stored)

    def fill(
        self,
        parameters: Mapping[str, NDArray[Any]],
        places: Mapping[str, Place],
        spare: tuple[str, ...],
    ) -> None:
        """Every parameter from its tensors; all shapes are checked first."""
        parts = {n: p for key, place in places.items() for n, p in place.parts(parameters[key])}
        missing = sorted(parts.keys() - self.found)
        unexpected = sorted(self.found.keys() - parts - set(spare))
        if missing or unexpected:
            raise ValueError(
                f"{self.folder}: missing tensors {missing}, unexpected tensors {unexpected}"
            )
        for name, part in parts.items():
            tensors, stored = self.found[name]
            kind, shape = (
                tensors.get_slice(stored).get_dtype(),
                tensors.get_slice(stored).get_shape(),
            )
            if tuple(shape) != part.shape or kind not in _DTYPES:
                raise ValueError(
                    f"{self.folder}: {stored} is {tuple(shape)}, {kind}; "
                    f"it must be {part.shape}, one of {_DTYPES}"
                )
            if kind == "BF16":
                package("ml_dtypes")  # gives NumPy the dtype
        for name, part in parts.items():
            tensors, stored = self.found[name]
            part[...] = tensors.get_tensor(stored)


def write(
    folder: str | os.PathLike[str],
    parameters: Mapping[str, NDArray[Any]],
    places: Mapping[str, Place],
) -> None:
    """model.safetensors, whole or not at all."""
    save_file = package("safetensors.numpy").save_file
    parts = {n: p for key, place in places.items() for n, p in place.parts(parameters[key])}
    tensors = {name: np.ascontiguousarray(part) for name, part in parts.items()}
    path = Path(folder) / _WEIGHTS
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"format": "pt"})
    os.replace(partial, path)
