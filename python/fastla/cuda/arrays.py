"""Arrays on a GPU, whoever made them: what a product has to know of them, and how to get more of the kind.

CuPy's arrays, PyTorch's CUDA tensors, and whatever has ``__cuda_array_interface__``. Nothing here imports one
of these libraries: who has an array has imported its library.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np

from . import launch


@dataclass(frozen=True, eq=False)
class Form:
    """What a call depends on of an array but for its address: there is one for all arrays that are alike in
    this. Strides are in bytes, of any sign."""

    library: Library
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    device: int
    writeable: bool = True
    stream: int | None = None  # what the array itself names

    @cached_property
    def reach(self) -> tuple[int, int]:
        """Where its bytes begin and end, from its address on."""
        steps = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        low, high = (sum(x for x in steps if (x < 0) == below) for below in (True, False))
        return low, high + itemsize(self.dtype)

    @cached_property
    def transposed(self) -> Form:
        """Of its last two axes."""

        def turned(values: tuple[int, ...]) -> tuple[int, ...]:
            return (*values[:-2], values[-1], values[-2])

        return replace(self, shape=turned(self.shape), strides=turned(self.strides))


DeviceArray = tuple[int, Form, Any]  # an address, how the array looks, and the library's own object


def itemsize(dtype: str) -> int:
    return _numpy_dtype(dtype).itemsize


@cache
def _numpy_dtype(name: str) -> np.dtype[Any]:
    if name == "bfloat16" or name.startswith("float8"):
        name = getattr(importlib.import_module("ml_dtypes"), name)
    return np.dtype(name)


_FORMS = 4096  # of a library


class Library:
    """One that makes arrays; this class is of those with nothing but ``__cuda_array_interface__``.

    `empty` allocates: a shape and a dtype's name to an array on the current device.
    """

    name = "__cuda_array_interface__"

    def __init__(self, kind: type, empty: Callable[[tuple[int, ...], str], Any] | None = None) -> None:
        self.name = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
        self._empty = empty
        self._form = lru_cache(maxsize=_FORMS)(self._new_form)

    def _new_form(self, *looks: Any) -> Form:
        """Of arrays that look so in the library's own terms."""
        return Form(self, *looks)

    def owns(self, x: Any) -> bool:
        """Whether x, of a type of this library, is on a GPU."""
        return True

    def describe(self, x: Any, function: str, name: str) -> DeviceArray | None:
        """None: it is not on a GPU. Errors begin with the function and the operand's name in it."""
        given, what = x.__cuda_array_interface__, f"{function}: {name}"
        dtype = getattr(x, "dtype", None)  # ml_dtypes' have no typestr of their own
        if not isinstance(dtype, np.dtype):
            dtype = np.dtype(given["typestr"])
        if not dtype.isnative:
            raise TypeError(f"{what} is {dtype}, in another byte order than the GPU's")
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
        looks = shape, tuple(strides), dtype.name, device or 0, not read_only, given.get("stream")
        return address, self._form(*looks), x

    def stream(self, forms: Sequence[Form]) -> int:
        """The one that the arrays name; the legacy default stream if they name none."""
        named = {x.stream for x in forms if x.stream is not None}
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

    def _new_form(self, shape: Any, strides: Any, dtype: np.dtype[Any], device: int) -> Form:
        return Form(self, shape, strides, dtype.name, device)

    def describe(self, x: Any, function: str, name: str) -> DeviceArray | None:
        data, dtype = x.data, x.dtype
        if not dtype.isnative:
            raise TypeError(f"{function}: {name} is {dtype}, in another byte order than the GPU's")
        return data.ptr, self._form(x.shape, x.strides, dtype, data.device_id), x

    def stream(self, forms: Sequence[Form]) -> int:
        return int(self._cupy.cuda.get_current_stream(forms[0].device).ptr)

    def address(self, x: Any) -> int:
        return int(x.data.ptr)

    def empty(self, shape: tuple[int, ...], dtype: str, device: int) -> Any:
        cuda, made = self._cupy.cuda, _numpy_dtype(dtype)
        if cuda.runtime.getDevice() == device:
            return self._cupy.empty(shape, made)
        with cuda.Device(device):
            return self._cupy.empty(shape, made)


class _Torch(Library):
    widens_bfloat16 = False

    def __init__(self, kind: type) -> None:
        super().__init__(kind)
        self.name = "torch.Tensor"  # a Parameter's neighbour is a Tensor
        self._torch = torch = sys.modules["torch"]
        self._names: dict[Any, str] = {}
        self._dense, self._grad_enabled = torch.strided, torch.is_grad_enabled
        # What current_stream takes 2 us for.
        self._stream = getattr(torch._C, "_cuda_getCurrentRawStream", None) or (
            lambda device: int(torch.cuda.current_stream(device).cuda_stream)
        )
        self._device = cache(lambda device: torch.device("cuda", device))

    def owns(self, x: Any) -> bool:
        return bool(x.is_cuda)

    def _new_form(self, shape: Any, stride: tuple[int, ...], dtype: Any, device: int) -> Form:
        strides = tuple([s * dtype.itemsize for s in stride])
        return Form(self, tuple(shape), strides, self.dtype_name(dtype), device)

    def describe(self, x: Any, function: str, name: str) -> DeviceArray | None:
        if not x.is_cuda:
            return None
        if x.requires_grad and self._grad_enabled():
            raise RuntimeError(
                f"{function}: {name} requires grad, and there are no derivatives here: "
                "give its detach(), or call under torch.no_grad()"
            )
        if x.layout is not self._dense:
            raise TypeError(f"{function}: {name} is {x.layout}; products are of dense tensors")
        if x.is_neg():
            raise TypeError(
                f"{function}: {name} is a negative that is not computed yet: give its resolve_neg()"
            )
        return x.data_ptr(), self._form(x.shape, x.stride(), x.dtype, x.get_device()), x

    def stream(self, forms: Sequence[Form]) -> int:
        return self._stream(forms[0].device)

    def address(self, x: Any) -> int:
        return int(x.data_ptr())

    def empty(self, shape: tuple[int, ...], dtype: str, device: int) -> Any:
        torch = self._torch
        return torch.empty(shape, dtype=getattr(torch, dtype), device=self._device(device))

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


def describe(function: str, operands: dict[str, Any], required: int = 2) -> dict[str, DeviceArray]:
    """The operands of a call by name, which must be of one library and on one device. None after the first
    ones, which are required: there is no such operand."""
    found: dict[str, DeviceArray] = {}
    one: Form | None = None
    for name, x in operands.items():
        if x is None and len(found) >= required:
            continue
        library = _libraries.get(type(x)) or library_of(type(x))
        described = None if library is None else library.describe(x, function, name)
        if described is None:
            there = next(n for n, y in operands.items() if is_on_gpu(y))
            raise TypeError(
                f"{function}: {name} must be an array like {there} ({type(operands[there]).__name__}, "
                f"on a GPU), not {_kind_of(x)}: nothing is copied between a GPU and the CPU unasked"
            )
        found[name], form = described, described[1]
        if one is None:
            first, one = name, form
        elif form.library is not one.library:
            raise TypeError(
                f"{function}: {first} is a {one.library.name}, {name} a {form.library.name}; "
                "operands must be of one library"
            )
        elif form.device != one.device:
            raise ValueError(f"{function}: {first} is on GPU {one.device}, {name} on GPU {form.device}")
    return found


def _kind_of(x: Any) -> str:
    kind = type(x)
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__name__
