"""The process: threads, kernel rows, scratch memory, and the measured roof."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from types import TracebackType

from . import _core

_MOST_THREADS = 1024
_ROOF_ROUNDS = 15


def _count(n: int, function: str, name: str = "n") -> int:
    try:
        value = operator.index(n)
    except TypeError:
        raise TypeError(f"{function}: {name} must be an integer, not {type(n).__name__}") from None
    if not 1 <= value <= _MOST_THREADS:
        raise ValueError(f"{function}: {name} is {value}; it must be from 1 to {_MOST_THREADS}")
    return value


def get_num_threads() -> int:
    """Threads that a product of this thread may use.

    Returns
    -------
    int
        The `threads` context of this thread, else what `set_num_threads` set, else
        ``FASTLA_NUM_THREADS``, else ``OMP_NUM_THREADS``, else the smaller of the CPU affinity and the
        container's CPU quota (cgroup v1 or v2).

    Examples
    --------
    >>> import fastla
    >>> with fastla.threads(2):
    ...     fastla.get_num_threads()
    2
    """
    return _core.get_num_threads()


def set_num_threads(n: int | None) -> None:
    """Set the number of threads of the whole process.

    Parameters
    ----------
    n : int or None
        1 to 1024; None goes back to the environment's count.

    Raises
    ------
    TypeError, ValueError
        If n is not an integer in that range.

    Examples
    --------
    >>> import fastla
    >>> fastla.set_num_threads(1)
    >>> fastla.get_num_threads()
    1
    >>> fastla.set_num_threads(None)
    """
    _core.set_num_threads(0 if n is None else _count(n, "set_num_threads"))


class threads:
    """Context in which products of this thread use at most n threads.

    Parameters
    ----------
    n : int
        1 to 1024.

    Notes
    -----
    Other Python threads are not affected. Contexts nest.

    Examples
    --------
    >>> import fastla
    >>> with fastla.threads(1):
    ...     fastla.get_num_threads()
    1
    """

    def __init__(self, n: int) -> None:
        self._n = _count(n, "threads")
        self._previous: list[int] = []

    def __enter__(self) -> threads:
        self._previous.append(_core.thread_context(self._n))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _core.thread_context(self._previous.pop())


@dataclass(frozen=True)
class KernelRow:
    """Kernels for one dtype and one instruction set.

    Attributes
    ----------
    isa, dtype : str
        int8 and so on: signed or not; with an arrow: of the operands, and of a wider result.
    mr, nr : int
        Rows and columns of the tile held in registers.
    vector_bytes : int
    usable : bool
        This CPU can run it.
    chosen : bool
        It is in force.

    Examples
    --------
    >>> import fastla
    >>> any(row.chosen for row in fastla.kernels())
    True
    """

    isa: str
    dtype: str
    mr: int
    nr: int
    vector_bytes: int
    usable: bool
    chosen: bool


def kernels() -> list[KernelRow]:
    """The compiled kernel rows, best first (zen4: on that CPU only).

    Returns
    -------
    list of KernelRow

    Examples
    --------
    >>> import fastla
    >>> [row.dtype for row in fastla.kernels() if row.isa == "generic"][:4]
    ['float32', 'float64', 'int8', 'int16']
    """
    return [KernelRow(**row) for row in _core.kernels()]


class use_isa:
    """Force one instruction set, or the best one; as a call or as a context.

    Parameters
    ----------
    name : str or None
        A name from `kernels`, or None for the best that this CPU can run.

    Raises
    ------
    ValueError
        If there are no kernels of that name.
    RuntimeError
        If this CPU cannot run them.

    Notes
    -----
    For the whole process; meant for tests, since no result depends on it. The environment variable
    ``FASTLA_ISA`` does the same from the start.

    Examples
    --------
    >>> import fastla
    >>> with fastla.use_isa("generic"):
    ...     {row.isa for row in fastla.kernels() if row.chosen}
    {'generic'}
    """

    def __init__(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"use_isa: name must be a str or None, not {type(name).__name__}")
        self._previous = next(row.isa for row in kernels() if row.chosen)
        _core.use_isa(name)

    def __enter__(self) -> use_isa:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _core.use_isa(self._previous)


@dataclass(frozen=True)
class Roof:
    """What no product on this machine can exceed, as measured.

    Attributes
    ----------
    flops : dict of str to float
        Operations per second of independent fused multiply-adds in registers, by dtype.
    bandwidth : float
        Bytes per second read from memory.
    num_threads : int
    isa : str

    Examples
    --------
    >>> import fastla
    >>> fastla.Roof({"float32": 1e11}, 2e10, 1, "avx2").bandwidth
    20000000000.0
    """

    flops: dict[str, float]
    bandwidth: float
    num_threads: int
    isa: str


def roof(num_threads: int | None = None, seconds: float = 0.2) -> Roof:
    """Measure the roof of this process: peak multiply-add rate and memory bandwidth.

    Parameters
    ----------
    num_threads : int, optional
        Default: `get_num_threads()`.
    seconds : float, default 0.2
        About how long to measure each of the three figures.

    Returns
    -------
    Roof
        Medians over rounds.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    .. [1] S. Williams, A. Waterman and D. Patterson, "Roofline", CACM 52 (2009).

    Examples
    --------
    >>> import fastla
    >>> fastla.roof(1, seconds=0.01).flops["float64"] > 0
    True
    """
    n = get_num_threads() if num_threads is None else _count(num_threads, "roof", "num_threads")
    return Roof(
        flops={name: _core.roof_fma(name, n, seconds, _ROOF_ROUNDS) for name in ("float32", "float64")},
        bandwidth=_core.roof_read(n, seconds),
        num_threads=n,
        isa=next(row.isa for row in kernels() if row.chosen),
    )


def release_workspace() -> None:
    """Give the scratch memory that is kept between calls back to the system.

    Examples
    --------
    >>> import fastla
    >>> fastla.release_workspace()
    """
    _core.release_workspace()
