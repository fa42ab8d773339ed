"""Arrays on a GPU, whoever made them: what a product has to know of them, and how to get more of the kind.

CuPy's arrays, PyTorch's CUDA tensors, and whatever has ``__cuda_array_interface__``. Nothing here imports one
of these libraries: who has an array has imported its library.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import launch


class DeviceArray(NamedTuple):
    """Strides are in bytes, of any sign. `stream` is what the array itself names, None if it names none."""

    owner: Any
    library: Library
    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    device: int
    writeable: bool
    stream: int | None

    @property
    def bounds(self) -> tuple[int, int]:
        """Where its bytes begin and end."""
        reach = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        low, high = (sum(x for x in reach if (x < 0) == below) for below in (True, False))
        return self.address + low, self.address + high + itemsize(self.dtype)


def itemsize(dtype: str) -> int:
    return _numpy_dtype(dtype).itemsize


def _numpy_dtype(name: str) -> np.dtype[Any]:
    if name == "bfloat16":
        name = importlib.import_module("ml_dtypes").bfloat16
    return np.dtype(name)


class Library:
    """One that makes arrays; this class is of those with nothing but ``__cuda_array_interface__``.

    `empty` allocates: a shape and a dtype's name to an array on the current device.
    """

    name = "__cuda_array_interface__"

    def __init__(self, kind: type, empty: Callable[[tuple[int, ...], str], Any] | None = None) -> None:
        self.name = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
        self._empty = empty

    def owns(self, x: Any) -> bool:
        """Whether x, of a type of this library, is on a GPU."""
        return True

    def describe(self, x: Any, what: str) -> DeviceArray:
        """`what` is what an error calls it, such as "matmul: x1"."""
        given = x.__cuda_array_interface__
        dtype = np.dtype(given["typestr"])
        if not dtype.isnative:
            raise TypeError(f"{what} is {dtype}, in another byte order than the GPU's")
        name = getattr(getattr(x, "dtype", None), "name", "") if dtype.kind == "V" else dtype.name
        address, read_only = given["data"]
        if given.get("mask") is not None:
            raise TypeError(f"{what} has a mask; products are of whole arrays")
        strides, shape = given.get("strides"), tuple(given["shape"])
        if strides is None:
            strides, size = [], dtype.itemsize
            for n in reversed(shape):
                strides.insert(0, size)
                size *= n
        device = launch.backend().device_of(address) if address else None
        return DeviceArray(
            x, self, address, shape, tuple(strides), name or str(dtype), device or 0, not read_only,
            given.get("stream"),
        )

    def stream(self, arrays: Sequence[DeviceArray]) -> int:
        """The one that the arrays name; the legacy default stream if they name none."""
        named = {x.stream for x in arrays if x.stream is not None}
        if len(named) > 1:
            raise ValueError(f"the operands are written on different streams: {sorted(named)}")
        return named.pop() if named else 1

    def address(self, x: Any) -> int:
        return int(x.__cuda_array_interface__["data"][0])

    def empty(self, shape: tuple[int, ...], dtype: str, device: int) -> Any:
        if self._empty is None:
            raise TypeError(f"there is no way to make another {self.name}; CuPy and PyTorch have one")
        return self._empty(shape, dtype)

    def promote(self, *dtypes: str) -> str:
        """The dtype of a product of operands of such dtypes."""
        return np.result_type(*map(_numpy_dtype, dtypes)).name

    def dtype_name(self, dtype: Any) -> str:
        """Of what a user gives for dtype=."""
        return np.dtype(_numpy_dtype(dtype) if isinstance(dtype, str) else dtype).name

    # NumPy's product of bfloat16 is float32.
    widens_bfloat16 = True


class _CuPy(Library):
    def __init__(self, kind: type) -> None:
        super().__init__(kind)
        self.name = "cupy.ndarray"
        self._cupy = sys.modules["cupy"]

    def describe(self, x: Any, what: str) -> DeviceArray:
        if not x.dtype.isnative:
            raise TypeError(f"{what} is {x.dtype}, in another byte order than the GPU's")
        return DeviceArray(x, self, x.data.ptr, x.shape, x.strides, x.dtype.name, x.device.id, True, None)

    def stream(self, arrays: Sequence[DeviceArray]) -> int:
        return int(self._cupy.cuda.get_current_stream(arrays[0].device).ptr)

    def address(self, x: Any) -> int:
        return int(x.data.ptr)

    def empty(self, shape: tuple[int, ...], dtype: str, device: int) -> Any:
        with self._cupy.cuda.Device(device):
            return self._cupy.empty(shape, _numpy_dtype(dtype))


class _Torch(Library):
    widens_bfloat16 = False

    def __init__(self, kind: type) -> None:
        super().__init__(kind)
        self.name = "torch.Tensor"  # a Parameter's neighbour is a Tensor
        self._torch = sys.modules["torch"]
        self._names: dict[Any, str] = {}

    def owns(self, x: Any) -> bool:
        return bool(x.is_cuda)

    def describe(self, x: Any, what: str) -> DeviceArray:
        torch = self._torch
        if x.requires_grad and torch.is_grad_enabled():
            raise RuntimeError(
                f"{what} requires grad, and there are no derivatives here: "
                "give its detach(), or call under torch.no_grad()"
            )
        if x.layout is not torch.strided:
            raise TypeError(f"{what} is {x.layout}; products are of dense tensors")
        if x.is_conj():
            raise TypeError(f"{what} is a conjugate that is not computed yet: give its resolve_conj()")
        if x.is_neg():
            raise TypeError(f"{what} is a negative that is not computed yet: give its resolve_neg()")
        size = x.element_size()
        return DeviceArray(
            x, self, x.data_ptr(), tuple(x.shape), tuple([s * size for s in x.stride()]),
            self.dtype_name(x.dtype), x.device.index, True, None,
        )

    def stream(self, arrays: Sequence[DeviceArray]) -> int:
        return int(self._torch.cuda.current_stream(arrays[0].device).cuda_stream)

    def address(self, x: Any) -> int:
        return int(x.data_ptr())

    def empty(self, shape: tuple[int, ...], dtype: str, device: int) -> Any:
        return self._torch.empty(shape, dtype=getattr(self._torch, dtype), device=f"cuda:{device}")

    def promote(self, *dtypes: str) -> str:
        left, *others = (getattr(self._torch, name) for name in dtypes)
        for right in others:
            left = self._torch.promote_types(left, right)
        return self.dtype_name(left)

    def dtype_name(self, dtype: Any) -> str:
        name = self._names.get(dtype)
        if name is None:
            is_torchs = isinstance(dtype, self._torch.dtype)
            name = str(dtype).removeprefix("torch.") if is_torchs else super().dtype_name(dtype)
            self._names[dtype] = name
        return name


def _numba_empty(shape: tuple[int, ...], dtype: str) -> Any:
    return sys.modules["numba.cuda"].device_array(shape, _numpy_dtype(dtype))


_libraries: dict[type, Library | None] = {}  # by types that have been asked for


def register(kind: type, empty: Callable[[tuple[int, ...], str], Any]) -> None:
    """Arrays of that type, which has ``__cuda_array_interface__``, are made by `empty`."""
    _libraries[kind] = Library(kind, empty)


def _the(library: type[Library]) -> Library | None:
    return next((x for x in _libraries.values() if type(x) is library), None)


def library_of(kind: type) -> Library | None:
    """Whose arrays are of that type; None: nobody's that has to do with GPUs."""
    try:
        return _libraries[kind]
    except KeyError:
        pass
    homes = {base.__module__.partition(".")[0] for base in kind.__mro__}
    found: Library | None = None
    if "torch" in homes and hasattr(kind, "is_cuda"):
        found = _the(_Torch) or _Torch(kind)
    elif "cupy" in homes and hasattr(kind, "__cuda_array_interface__"):
        found = _the(_CuPy) or _CuPy(kind)
    elif hasattr(kind, "__cuda_array_interface__"):
        found = Library(kind, _numba_empty if "numba" in homes else None)
    _libraries[kind] = found
    return found


def is_on_gpu(x: Any) -> bool:
    """Whether x is an array on a GPU: for most a look into a dictionary."""
    library = library_of(type(x))
    return library is not None and library.owns(x)


def describe(function: str, operands: dict[str, Any]) -> dict[str, DeviceArray]:
    """The operands of a call by name, which must be of one library and on one device."""
    found: dict[str, DeviceArray] = {}
    for name, x in operands.items():
        what = f"{function}: {name}"
        library = library_of(type(x))
        if library is None or not library.owns(x):
            there = next(n for n, y in operands.items() if is_on_gpu(y))
            raise TypeError(
                f"{what} must be an array like {there} ({type(operands[there]).__name__}, on a GPU), "
                f"not {_kind_of(x)}: nothing is copied between a GPU and the CPU unasked"
            )
        found[name] = library.describe(x, what)
    (first, one), *others = found.items()
    for name, other in others:
        if other.library is not one.library:
            raise TypeError(
                f"{function}: {first} is a {one.library.name}, {name} a {other.library.name}; "
                "operands must be of one library"
            )
        if other.device != one.device:
            raise ValueError(
                f"{function}: {first} is on GPU {one.device}, {name} on GPU {other.device}"
            )
    return found


def _kind_of(x: Any) -> str:
    kind = type(x)
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__name__
