"""What iterations raise that do not get where they should."""

from __future__ import annotations

from typing import Any


class NotConverged(RuntimeError):
    """Not as exact as asked after so many iterations; `result` is what there is.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import decomposition
    >>> a = np.diag(np.linspace(1, 2, 200))
    >>> try:
    ...     found = decomposition.svd(a, 3, method="krylov", tol=1e-12, max_iter=2)
    ... except decomposition.NotConverged as error:
    ...     found = error.result
    >>> found.iterations
    2
    """

    def __init__(self, message: str, result: Any):
        super().__init__(message)
        self.result = result
