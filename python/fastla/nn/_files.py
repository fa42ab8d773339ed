"""Arrays by name, and a text, in one file: .npz or .safetensors. A file is written whole or not at all."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ._extra import package

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ._layers import Layer

_TEXT = "__text__"


def kind_of(name: str, path: Any) -> str:
    """How the file's name ends, if that can be written and read here."""
    kind = os.path.splitext(os.fspath(path))[1]
    if kind not in (".npz", ".safetensors"):
        raise ValueError(f"{name}: {os.fspath(path)!r} must end in .npz or .safetensors")
    if kind == ".safetensors":
        package("safetensors.numpy")
    return str(kind)


def write(name: str, path: Any, arrays: Mapping[str, NDArray[Any]], text: str = "") -> None:
    """Through a temporary file beside it, so that an older file is there until the new one is."""
    for what, x in arrays.items():
        if x.dtype.kind not in "biufc":
            raise TypeError(f"{name}: {what} is {x.dtype}, {x.shape}; it must be of NumPy's numbers")
    if kind_of(name, path) == ".npz":
        held = io.BytesIO()
        np.savez(held, **arrays, **{_TEXT: np.array(text)})  # type: ignore[arg-type]
        data: Any = held.getbuffer()
    else:
        whole = {what: np.asarray(x, order="C") for what, x in arrays.items()}
        data = package("safetensors.numpy").save(whole, metadata={_TEXT: text})
    beside = f"{os.fspath(path)}.{os.getpid()}.tmp"
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        if os.path.exists(beside):
            os.unlink(beside)
        raise


def read(name: str, path: Any) -> tuple[dict[str, NDArray[Any]], str]:
    """What `write` wrote; of files of others the text is empty."""
    if kind_of(name, path) == ".npz":
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        return arrays, str(arrays.pop(_TEXT, ""))
    with package("safetensors").safe_open(os.fspath(path), framework="numpy") as file:
        arrays = {what: file.get_tensor(what) for what in file.keys()}
        return arrays, (file.metadata() or {}).get(_TEXT, "")


def fill(name: str, parameters: Mapping[str, NDArray[Any]], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Copies arrays into parameters of the same names and shapes, all or none."""
    missing, unknown = sorted(parameters.keys() - arrays), sorted(arrays.keys() - parameters)
    if missing or unknown:
        raise ValueError(f"{name}: missing are {missing}, unexpected are {unknown}")
    for what, p in parameters.items():
        if p.shape != arrays[what].shape:
            raise ValueError(f"{name}: {what} is {arrays[what].shape}; the model's is {p.shape}")
    for what, p in parameters.items():
        p[...] = arrays[what]


def save_parameters(model: Layer, path: str | os.PathLike[str]) -> None:
    """Write a model's parameters to a file.

    Parameters
    ----------
    model : Layer
        Anything with `parameters`.
    path : path-like
        To a .npz or a .safetensors file (extra ``fastla[nn]``), which is replaced whole or not at all.

    Raises
    ------
    ValueError
        If the name ends otherwise.
    ImportError
        If safetensors is needed and not installed.

    See Also
    --------
    load_parameters

    Examples
    --------
    >>> import os, tempfile
    >>> from fastla import nn
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> nn.save_parameters(nn.Linear(2, 3, rng=0), path)
    >>> other = nn.Linear(2, 3, rng=1)
    >>> nn.load_parameters(other, path)
    >>> bool((other.parameters["weight"] == nn.Linear(2, 3, rng=0).parameters["weight"]).all())
    True
    """
    write("save_parameters", path, model.parameters)


def load_parameters(model: Layer, path: str | os.PathLike[str]) -> None:
    """Read a model's parameters from a file, into its own arrays.

    Parameters
    ----------
    model : Layer
        Anything with `parameters`.
    path : path-like
        To a .npz or a .safetensors file (extra ``fastla[nn]``).

    Raises
    ------
    ValueError
        If names or shapes are not those of the model; then nothing is changed.
    ImportError
        If safetensors is needed and not installed.

    See Also
    --------
    save_parameters

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from fastla import nn
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> np.savez(path, weight=np.ones((1, 2)), bias=np.zeros(1))
    >>> model = nn.Linear(2, 1)
    >>> nn.load_parameters(model, path)
    >>> model([[1.0, 1.0]])
    array([[2.]], dtype=float32)
    """
    fill("load_parameters", model.parameters, read("load_parameters", path)[0])
