"""Products on NVIDIA GPUs by kernels in Numba (extra ``fastla[cuda]``).

Arrays of CuPy, PyTorch and others (arrays), what is asked of them (products, checks, stacks), how it is done
(problem, families, plan, recipes), kernels (gemm, doubles, halves, hopper, vectors, copies, splits) and their
launches (launch, cache). Tested without a GPU: in an emulator, for their bits, and as machine code.
"""

from __future__ import annotations

import importlib

_OLDEST_DRIVER = 13000  # the toolkit of the extra makes code for such a one


def missing() -> str | None:
    """What this machine lacks for products on a GPU, in a line; None: nothing.

    Returns
    -------
    str or None

    Examples
    --------
    >>> import fastla.cuda
    >>> what = fastla.cuda.missing()  # such as "no CUDA driver: libcuda.so.1 is not there"
    >>> what is None or isinstance(what, str)
    True
    """
    for module in ("numba.cuda.compiler", "cuda.bindings.driver"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            if not error.name:
                return f"{module} cannot be used: {error}"
            return f"{error.name} is not installed: pip install fastla[cuda]"
    driver = importlib.import_module("cuda.bindings.driver")
    try:
        (status,) = driver.cuInit(0)
    except RuntimeError:
        return "no CUDA driver: libcuda.so.1 is not there"
    name = getattr(status, "name", str(status))
    if name == "CUDA_ERROR_NO_DEVICE":
        return "the CUDA driver finds no device"
    if name != "CUDA_SUCCESS":
        return f"the CUDA driver does not start: {name}"
    _, version = driver.cuDriverGetVersion()
    if version < _OLDEST_DRIVER:
        has, needs = (f"{v // 1000}.{v % 1000 // 10}" for v in (version, _OLDEST_DRIVER))
        return f"the driver is for CUDA {has}; fastla[cuda] needs {needs}"
    return None
