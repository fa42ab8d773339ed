"""Parameters by their names: how they begin, and how a part's names become the whole's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ._linear import linear_backward

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from ._layers import Gradients

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


def named(prefix: str, parts: Mapping[str, NDArray[Any]]) -> Gradients:
    """The parameters of a part under its name in the whole."""
    return {f"{prefix}.{name}": array for name, array in parts.items()}


def linear_gradients(
    dy: NDArray[Any], x: NDArray[Any], parameters: Gradients, name: str, *, inputs: bool = True
) -> tuple[Any, Gradients]:
    """Of x, and of the weight and bias of that name, for the layer's result."""
    bias = f"{name}.bias" in parameters
    g = linear_backward(dy, x, parameters[f"{name}.weight"], inputs=inputs, bias=bias)
    found = {f"{name}.weight": g.weight, f"{name}.bias": g.bias}
    return g.x, {n: array for n, array in found.items() if array is not None}
