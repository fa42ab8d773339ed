"""Layers one after another, and multilayer perceptrons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._dropout import generator_of, takes_rng
from ._initial import Random
from ._layers import Gradients, Layer, Linear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray


class Sequential(Layer):
    """Layers one after another.

    Parameters
    ----------
    *layers : Layer
        An array that several of them have is one parameter, under the first one's name; its gradients add.

    Attributes
    ----------
    layers : tuple of Layer
    parameters : dict
        Those of the layers, as 'NUMBER.NAME'.

    Methods
    -------
    forward(x, *, rng=None)
        Layers whose `forward` takes `rng`, such as `Dropout`, are given it, a generator or a seed.
    backward(dy, saved, *, inputs=True)

    Examples
    --------
    >>> from fastla import nn
    >>> model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.LayerNorm(3))
    >>> sorted(model.parameters)
    ['0.bias', '0.weight', '1.bias', '1.weight']
    """

    def __init__(self, *layers: Layer):
        self.layers = layers
        self.parameters = {}
        self._names: list[dict[str, str]] = []
        known: dict[int, str] = {}
        for i, layer in enumerate(layers):
            names = {
                name: known.setdefault(id(x), f"{i}.{name}") for name, x in layer.parameters.items()
            }
            self.parameters.update((names[name], x) for name, x in layer.parameters.items())
            self._names.append(names)
        self._random = [takes_rng(layer.forward) for layer in layers]

    def __call__(self, x: Any) -> NDArray[Any]:
        for layer in self.layers:
            x = layer(x)
        made: NDArray[Any] = x
        return made

    def forward(self, x: Any, *, rng: Random = None) -> tuple[NDArray[Any], Any]:
        saved, rng = [], generator_of(rng)
        for layer, random in zip(self.layers, self._random, strict=True):
            given: dict[str, Any] = {"rng": rng} if random else {}
            x, kept = layer.forward(x, **given)
            saved.append(kept)
        return x, saved

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[NDArray[Any] | None, Gradients]:
        gradients: Gradients = {}
        dx: NDArray[Any] | None = dy
        for i in reversed(range(len(self.layers))):
            assert dx is not None
            dx, found = self.layers[i].backward(dx, saved[i], inputs=inputs or i > 0)
            for name, g in found.items():
                known = self._names[i][name]
                gradients[known] = gradients[known] + g if known in gradients else g
        return dx, gradients


class MLP(Sequential):
    """A multilayer perceptron: linear layers with activations between them.

    Parameters
    ----------
    sizes : sequence of int
        Of the input, of each layer between, and of the output.
    activation : str or sequence, default 'relu'
        After every layer but the last: one for all, or one for each; None: no activation.
    output : str, optional
        The activation after the last layer.
    bias : bool, default True
    rng : numpy.random.Generator or int, optional
        Where the weights come from, as of `Linear`.
    dtype : dtype, default float32

    Attributes
    ----------
    layers : tuple of Linear
    parameters : dict
        '0.weight', '0.bias', '1.weight' and so on.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, or another number of activations.

    See Also
    --------
    fit, predict, score

    Notes
    -----
    A step of training takes 3 n - 1 products of n layers: n forward, n for the weights, n - 1 for what lies
    between. Without activations the product of the matrices would do the same as all of them.

    Examples
    --------
    >>> from fastla import nn
    >>> model = nn.MLP((784, 256, 128, 64, 10), rng=0)
    >>> sum(x.size for x in model.parameters.values())
    242762
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Sequence[str | None] | None = "relu",
        output: str | None = None,
        *,
        bias: bool = True,
        rng: Random = None,
        dtype: DTypeLike = np.float32,
    ):
        between = len(sizes) - 2
        if between < 0:
            raise ValueError(f"MLP: sizes is {tuple(sizes)}; it must have two entries at least")
        given = (
            [activation] * between
            if activation is None or isinstance(activation, str)
            else activation
        )
        if len(given) != between:
            raise ValueError(
                f"MLP: activation is {tuple(given)}; sizes {tuple(sizes)} need {between}"
            )
        rng = np.random.default_rng(rng)
        pairs = zip(sizes[:-1], sizes[1:], (*given, output), strict=True)
        layers = (Linear(m, n, activation=a, bias=bias, rng=rng, dtype=dtype) for m, n, a in pairs)
        super().__init__(*layers)
