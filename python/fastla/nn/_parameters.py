"""Parameters by their names: how they begin, and how a part's names become the whole's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

Parameters: TypeAlias = dict[str, "NDArray[Any]"]
Draw: TypeAlias = "Callable[[str, tuple[int, ...]], NDArray[Any]]"


def drawing(rng: Any, dtype: Any, layers: int = 0) -> Draw:
    """What makes a parameter of its name and shape: `rng` itself if it is a function.

    Weights are normal, of deviation 0.02, those that end a residual branch of so many blocks (two each) less,
    as GPT-2's are; biases 0; norms' weights 1.
    """
    if callable(rng):
        return rng  # type: ignore[no-any-return]
    generator, dtype = np.random.default_rng(rng), np.dtype(dtype)

    def draw(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        if name.endswith("bias"):
            return np.zeros(shape, dtype)
        if len(shape) == 1:
            return np.ones(shape, dtype)
        ends = layers and name in ("out.weight", "down.weight")
        scale = 0.02 / (2 * layers) ** 0.5 if ends else 0.02
        return (generator.standard_normal(shape) * scale).astype(dtype)

    return draw


def named(prefix: str, parts: Mapping[str, NDArray[Any]]) -> Parameters:
    """The parameters of a part under its name in the whole."""
    return {f"{prefix}.{name}": array for name, array in parts.items()}


def linear_gradients(
    dy: NDArray[Any], x: NDArray[Any], parameters: Parameters, name: str
) -> tuple[NDArray[Any], Parameters]:
    """Of x, and of the weight and bias of that name, for the layer's result."""
    weight, rows = parameters[f"{name}.weight"], dy.reshape(-1, dy.shape[-1])
    grads = {f"{name}.weight": _core.matmul(rows.T, x.reshape(-1, x.shape[-1]))}
    if f"{name}.bias" in parameters:
        grads[f"{name}.bias"] = column_sums(rows)
    return _core.matmul(dy, weight), grads


def column_sums(rows: NDArray[Any]) -> NDArray[Any]:
    """By a product, so that the order of sums is the contract's."""
    ones = np.ones((1, len(rows)), rows.dtype)
    sums: NDArray[Any] = _core.matmul(ones, rows)[0]
    return sums


def add_rows(to: NDArray[Any], places: NDArray[Any], rows: NDArray[Any]) -> None:
    """Adds to the rows of `to` at each place: a place's rows first to each other, in increasing order."""
    if places.size:
        order = np.argsort(places, axis=None, kind="stable")
        found, starts = np.unique(places.reshape(-1)[order], return_index=True)
        to[found] += np.add.reduceat(rows.reshape(-1, rows.shape[-1])[order], starts, axis=0)
