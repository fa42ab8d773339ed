"""Layers: parameters, and functions of them forward and backward. What backward needs is handed to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._activations import activation as activate
from ._initial import Random, he_normal, xavier_normal
from ._linear import linear, linear_backward
from ._norms import layer_norm, layer_norm_backward, rms_norm, rms_norm_backward

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

Gradients = dict[str, "NDArray[Any]"]


class Layer:
    """What layers and models have in common: a class of your own needs parameters, forward and backward.

    Attributes
    ----------
    parameters : dict of str to ndarray
        By name; optimizers change them in place.

    Methods
    -------
    forward(x)
        The result, and what backward needs. One that takes `rng=None` too is given a generator in training.
    backward(dy, saved, *, inputs=True)
        The gradient for x (None where `inputs` is False), and those of the parameters by name.

    Examples
    --------
    >>> from fastla import nn
    >>> isinstance(nn.Linear(2, 3), nn.Layer)
    True
    """

    parameters: dict[str, NDArray[Any]]

    def forward(self, x: Any) -> tuple[NDArray[Any], Any]:
        raise NotImplementedError

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[NDArray[Any] | None, Gradients]:
        raise NotImplementedError

    def __call__(self, x: Any) -> NDArray[Any]:
        return self.forward(x)[0]


def as_input(x: ArrayLike, dtype: np.dtype[Any]) -> NDArray[Any]:
    """In a layer's dtype; 16 bits stay what they are."""
    if type(x) is np.ndarray and x.dtype == dtype:
        return x
    array = np.asarray(x)
    half = array.dtype.kind in "fV" and array.dtype.itemsize == 2
    return array if half else array.astype(dtype, copy=False)


class Linear(Layer):
    """A linear layer with its activation: ``activation(x @ weight.T + bias)``.

    Parameters
    ----------
    n_in, n_out : int
    activation : {'relu', 'gelu', 'gelu_tanh', 'silu', 'tanh', 'sigmoid'}, optional
    bias : bool, default True
    rng : numpy.random.Generator or int, optional
        Where the weights come from: `he_normal` for relu, gelu and silu, else `xavier_normal`.
    dtype : dtype, default float32
        float32 or float64. Inputs of 16 bits give results of 16 bits; others are taken in this dtype.

    Attributes
    ----------
    parameters : dict
        'weight', (n_out, n_in), and 'bias', (n_out,), which begins as 0.

    See Also
    --------
    linear, linear_backward, MLP

    Notes
    -----
    One product forward, with bias and activation in it; two backward, one without the gradient for x.

    Examples
    --------
    >>> from fastla import nn
    >>> layer = nn.Linear(2, 3, activation="relu", rng=0)
    >>> y, saved = layer.forward([[1.0, 2.0]])
    >>> dx, gradients = layer.backward(y, saved)
    >>> y.shape, dx.shape, gradients["weight"].shape
    ((1, 3), (1, 2), (3, 2))
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        activation: str | None = None,
        bias: bool = True,
        rng: Random = None,
        dtype: DTypeLike = np.float32,
    ):
        self.activation = activation
        activate(np.zeros(1), activation)  # is there such a one?
        begin = xavier_normal if activation in (None, "tanh", "sigmoid") else he_normal
        self.parameters = {"weight": begin((n_out, n_in), rng=rng, dtype=dtype)}
        if bias:
            self.parameters["bias"] = np.zeros(n_out, dtype)

    def __call__(self, x: Any) -> NDArray[Any]:
        return self._linear(as_input(x, self.parameters["weight"].dtype), self.activation)

    def _linear(self, x: NDArray[Any], activation: str | None) -> NDArray[Any]:
        return linear(
            x, self.parameters["weight"], self.parameters.get("bias"), activation=activation
        )

    def forward(self, x: Any) -> tuple[NDArray[Any], Any]:
        x = as_input(x, self.parameters["weight"].dtype)
        if self.activation in (None, "relu"):  # relu's derivative is the same at its result
            y = self._linear(x, self.activation)
            return y, (x, y)
        z = self._linear(x, None)
        return activate(z, self.activation), (x, z)

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[NDArray[Any] | None, Gradients]:
        x, z = saved
        bias = "bias" in self.parameters
        found = linear_backward(
            dy,
            x,
            self.parameters["weight"],
            z=z,
            activation=self.activation,
            inputs=inputs,
            bias=bias,
        )
        gradients = {"weight": found.weight, "bias": found.bias}
        return found.x, {name: g for name, g in gradients.items() if g is not None}


class LayerNorm(Layer):
    """Layer normalisation over the last axis, with a factor and a summand.

    Parameters
    ----------
    size : int
        Of the last axis.
    eps : float, default 1e-5
        Is added to the variance.
    bias : bool, default True
    dtype : dtype, default float32

    Attributes
    ----------
    parameters : dict
        'weight' and 'bias', (size,), which begin as 1 and 0.

    See Also
    --------
    layer_norm

    Examples
    --------
    >>> from fastla import nn
    >>> nn.LayerNorm(2, eps=0)([[1.0, 3.0]])
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(
        self, size: int, *, eps: float = 1e-5, bias: bool = True, dtype: DTypeLike = np.float32
    ):
        self.eps = eps
        self.parameters = {"weight": np.ones(size, dtype)}
        if bias:
            self.parameters["bias"] = np.zeros(size, dtype)

    def forward(self, x: Any) -> tuple[NDArray[Any], Any]:
        weight, bias = self.parameters["weight"], self.parameters.get("bias")
        x = as_input(x, weight.dtype)
        return layer_norm(x, weight, bias, eps=self.eps), x

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[NDArray[Any] | None, Gradients]:
        weight, bias = self.parameters["weight"], "bias" in self.parameters
        found = layer_norm_backward(dy, saved, weight, bias=bias, eps=self.eps)
        gradients = {"weight": found.weight, "bias": found.bias}
        return found.x, {name: g for name, g in gradients.items() if g is not None}


class RMSNorm(Layer):
    """RMS normalisation over the last axis, with a factor.

    Parameters
    ----------
    size : int
        Of the last axis.
    eps : float, default 1e-6
        Is added to the mean of squares.
    dtype : dtype, default float32

    Attributes
    ----------
    parameters : dict
        'weight', (size,), which begins as 1.

    See Also
    --------
    rms_norm

    Examples
    --------
    >>> from fastla import nn
    >>> nn.RMSNorm(4, eps=0)([[3.0, 4.0, 0.0, 0.0]])
    array([[1.2, 1.6, 0. , 0. ]], dtype=float32)
    """

    def __init__(self, size: int, *, eps: float = 1e-6, dtype: DTypeLike = np.float32):
        self.eps = eps
        self.parameters = {"weight": np.ones(size, dtype)}

    def forward(self, x: Any) -> tuple[NDArray[Any], Any]:
        x = as_input(x, self.parameters["weight"].dtype)
        return rms_norm(x, self.parameters["weight"], eps=self.eps), x

    def backward(
        self, dy: NDArray[Any], saved: Any, *, inputs: bool = True
    ) -> tuple[NDArray[Any] | None, Gradients]:
        found = rms_norm_backward(dy, saved, self.parameters["weight"], eps=self.eps)
        assert found.weight is not None
        return found.x, {"weight": found.weight}
