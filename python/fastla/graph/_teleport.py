"""Distributions over the nodes: where a random walk jumps to, where it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import CompressedGraph

if TYPE_CHECKING:
    from numpy.typing import NDArray


def distribution(
    function: str, name: str, given: Any, graph: CompressedGraph
) -> NDArray[np.float64]:
    """(n, b), or (n, 1) of a vector or a dictionary: columns that add up to 1."""
    if isinstance(given, Mapping):
        made = _of_mapping(function, name, given, graph)
    else:
        made = np.asarray(given)
        if made.dtype.kind not in "biuf" or made.ndim not in (1, 2) or len(made) != graph.n:
            raise ValueError(
                f"{function}: {name} is {made.shape}, dtype {made.dtype}; it must be ({graph.n},) or "
                f"({graph.n}, b) of real numbers, or a dictionary of nodes"
            )
        made = made.astype(np.float64).reshape(graph.n, -1)
    if not np.isfinite(made).all() or (made < 0).any():
        wrong = np.argwhere(~np.isfinite(made) | (made < 0))[0]
        raise ValueError(
            f"{function}: {name} of node {wrong[0]} is {made[tuple(wrong)]}; it must be finite and not "
            "negative"
        )
    if made.shape[1] == 0:
        raise ValueError(f"{function}: {name} is {made.shape}; there must be a column at least")
    most = made.max(axis=0, initial=0)
    if not (most > 0).all():
        raise ValueError(
            f"{function}: column {int(np.argmin(most > 0))} of {name} is zero everywhere"
        )
    made = made / most  # sums neither overflow nor vanish
    return np.ascontiguousarray(made / [column.sum() for column in np.ascontiguousarray(made.T)])


def _of_mapping(
    function: str, name: str, given: Mapping[Any, Any], graph: CompressedGraph
) -> NDArray[np.float64]:
    made = np.zeros((graph.n, 1))
    ids = graph.ids
    place = None if ids is None else {key: i for i, key in enumerate(ids.tolist())}
    for node, value in given.items():
        i = place.get(node) if place is not None else node
        if not isinstance(i, int | np.integer) or not 0 <= i < graph.n:
            raise ValueError(
                f"{function}: {name} has the key {node!r}, which is no node of {graph!r}"
            )
        made[i] = value
    return made
