"""NumPy's Array API namespace with fastla's products: ``xp = fastla.array_api`` for ``xp = numpy``.

`matmul`, `vecdot`, `tensordot` and `matrix_transpose` are fastla's, here and in `linalg`, which has
`matrix_power` besides. Every other name is NumPy's own object. Arrays are NumPy's, so ``a @ b`` and
``a.__array_namespace__()`` remain NumPy's (see `fastla.patch_numpy` for the former). NumPy follows the
standard from version 2 on; with an older one this namespace has what that one has.

>>> import numpy as np
>>> import fastla
>>> xp = fastla.array_api
>>> xp.matmul(xp.eye(2), xp.asarray([[1.0, 2.0], [3.0, 4.0]]))
array([[1., 2.],
       [3., 4.]])
>>> xp.sqrt is np.sqrt
True
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import matmul
from .._einsum import tensordot
from .._matrices import matrix_transpose
from .._vectors import vecdot
from . import linalg

__all__ = ["linalg", "matmul", "matrix_transpose", "tensordot", "vecdot"]

# What else begins so is the module's own: with NumPy's __path__, say, it would look like NumPy's package.
_STANDARD = {"__array_api_version__", "__array_namespace_info__"}


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name not in _STANDARD:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(np, name)
    except AttributeError:
        raise AttributeError(f"{name!r} is neither fastla's nor in NumPy {np.__version__}") from None


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in dir(np) if not name.startswith("__")), *_STANDARD})
