"""Edges as users have them, made ready for the core."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core

if TYPE_CHECKING:
    from numpy.typing import NDArray

# As include/fastla/graph.h numbers them.
DUPLICATES = {"keep": 0, "sum": 1, "first": 2, "last": 3, "max": 4, "min": 5, "error": 6}
MOST_NODES = 2**32 - 1


class Compressed(NamedTuple):
    """For each node as a target the sources of its edges, increasing, and their weights."""

    indptr: NDArray[Any]
    indices: NDArray[Any]
    weight: NDArray[Any] | None


def compressed(
    function: str,
    source: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any] | None,
    n: int | None,
    directed: bool,
    duplicates: str | None,
    num_threads: int | None,
) -> Compressed:
    """Sorted by target and source; duplicates joined."""
    duplicates = duplicates_given(function, duplicates, weight is not None)
    count = _nodes(function, source, target, n)
    arrays = Compressed(
        *_core.graph_build(
            function,
            source,
            target,
            weight,
            count,
            DUPLICATES[duplicates],
            not directed,
            num_threads,
        )
    )
    require_finite_sums(function, arrays)
    return arrays


def duplicates_given(function: str, duplicates: str | None, weighted: bool) -> str:
    """What becomes of duplicates."""
    if duplicates is None:
        return "sum" if weighted else "first"
    if duplicates not in DUPLICATES:
        raise ValueError(
            f"{function}: duplicates is {duplicates!r}; it must be one of {tuple(DUPLICATES)}"
        )
    return duplicates


def require_finite_sums(function: str, arrays: Compressed) -> None:
    """Weights are finite one by one, but their sums may not be."""
    indptr, indices, weight = arrays
    if weight is None or len(weight) == 0 or np.isfinite(weight.max()):
        return
    place = int(np.flatnonzero(np.isinf(weight))[0])
    target = int(np.searchsorted(indptr, place, "right")) - 1
    raise ValueError(
        f"{function}: the weights of the edge from {indices[place]} to {target} add up to more than "
        f"{weight.dtype} holds"
    )


def _nodes(function: str, source: NDArray[Any], target: NDArray[Any], n: int | None) -> int:
    """How many nodes there are: as many as the largest number asks for, unless given."""
    if n is None:
        n = 1 + max((int(x.max()) for x in (source, target) if len(x)), default=-1)
        n = max(n, 0)  # negative numbers are found later, with their place
        if n > MOST_NODES:
            raise ValueError(
                f"{function}: the largest number of a node is {n - 1}; they must be below 2^32 - 1, or names"
            )
    count = nodes_given(function, n)
    assert count is not None
    return count


def nodes_given(function: str, n: int | None) -> int | None:
    """n, which must be a possible number of nodes."""
    if n is None:
        return None
    n = operator.index(n)
    if not 0 <= n <= MOST_NODES:
        raise ValueError(f"{function}: n is {n}; it must be from 0 to 2^32 - 1")
    return n


def edge_arrays(
    function: str, source: Any, target: Any
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Both ends as int32 or int64, and the nodes' names where ends are no numbers."""
    source, target = _vector(function, "source", source), _vector(function, "target", target)
    if source.shape != target.shape:
        raise ValueError(
            f"{function}: source is {source.shape}, target is {target.shape}; they must be alike"
        )
    a, b = _numbers(function, "source", source), _numbers(function, "target", target)
    if a is None or b is None:
        return numbered(source.tolist(), target.tolist())
    index = np.int32 if a.dtype == b.dtype == np.int32 else np.int64
    return np.require(a, index, ["C", "A"]), np.require(b, index, ["C", "A"]), None


def _vector(function: str, name: str, x: Any) -> NDArray[Any]:
    if not hasattr(x, "__array__") and isinstance(x, Iterable):
        x = list(x)
        if not all(issubclass(kind, (int, float, list, np.number)) for kind in set(map(type, x))):
            names = np.empty(len(x), object)  # as they are: NumPy would make texts of mixed ones
            names[:] = x
            return names
    array = np.asarray(x)
    if array.ndim != 1:
        raise ValueError(f"{function}: {name} is {array.shape}; it must have one dimension")
    return array


def _numbers(function: str, name: str, x: NDArray[Any]) -> NDArray[Any] | None:
    """Integers the core reads; None: names."""
    if len(x) == 0:
        return np.zeros(0, np.int32)
    if x.dtype.kind == "i":
        return x.astype(np.int32 if x.dtype.itemsize <= 4 else np.int64, copy=False)
    if x.dtype.kind == "u":
        if x.dtype.itemsize < 4:
            return x.astype(np.int32)
        wrong = np.flatnonzero(x > 2**63 - 1) if x.dtype.itemsize == 8 else np.zeros(0, np.intp)
        if len(wrong):
            raise ValueError(
                f"{function}: {name} of shape {x.shape}, dtype {x.dtype} has {x[wrong[0]]} at {wrong[0]}; "
                "a node's number must be below 2^32"
            )
        return x.astype(np.int64)
    if x.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = x.astype(np.int64)
        wrong = np.flatnonzero(~((whole == x) & (np.abs(x) < 2.0**63)))
        if len(wrong):
            raise ValueError(
                f"{function}: {name} of shape {x.shape}, dtype {x.dtype} has {x[wrong[0]]} at {wrong[0]}; "
                "a node's number must be an integer"
            )
        return whole
    if x.dtype.kind in "OUST":
        return None
    raise TypeError(
        f"{function}: {name} is of dtype {x.dtype}; nodes are integers, texts or objects"
    )


def numbered(
    source: list[Any], target: list[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Names to numbers, by first appearance, an edge's source before its target."""
    known: dict[Any, int] = {}
    of = known.setdefault
    pairs = [(of(s, len(known)), of(t, len(known))) for s, t in zip(source, target, strict=True)]
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    names = np.empty(len(known), object)
    names[:] = list(known)
    return np.ascontiguousarray(ends[:, 0]), np.ascontiguousarray(ends[:, 1]), names


def weight_array(function: str, weight: Any, count: int) -> NDArray[Any] | None:
    """As float32 or float64; the core looks at the values."""
    if weight is None:
        return None
    array = np.asarray(weight)
    if array.shape != (count,):
        raise ValueError(
            f"{function}: weight is {array.shape} of dtype {array.dtype}; for {count} edges it must be "
            f"({count},)"
        )
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{function}: weight is of dtype {array.dtype}; weights are real numbers")
    narrow = array.dtype in (np.float32, np.float16)
    return np.require(array, np.float32 if narrow else np.float64, ["C", "A"])
