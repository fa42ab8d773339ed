"""Optimizers with the update rules of torch.optim: SGD, Adam, AdamW."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from .. import _core
from ._optimizer import Optimizer, in_core, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum.

    Parameters
    ----------
    learning_rate : float or callable
        Or a function of the number of steps made, as the schedules are.
    momentum : float, default 0
        What remains of the velocity in each step.
    nesterov : bool, default False
        Look ahead along the velocity.
    weight_decay : float, default 0
        Times the parameter is added to its gradient.

    Attributes
    ----------
    steps : int
        Made so far.

    Methods
    -------
    step(parameters, gradients, learning_rate=None)
        Change the parameters in place; those without a gradient stay.
    state_dict()
        Steps and velocities, as arrays by name.
    load_state_dict(state)
        Go on from there.

    Raises
    ------
    ValueError
        If a number is out of range, or nesterov is asked for without momentum.

    Notes
    -----
    g = gradient + weight_decay p; v = momentum v + g; p -= rate v; with nesterov p -= rate (g + momentum v).

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> p = {"w": np.array([1.0])}
    >>> nn.SGD(0.5).step(p, {"w": np.array([0.2])})
    >>> p["w"]
    array([0.9])
    """

    def __init__(
        self,
        learning_rate: float | Callable[[int], float],
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ):
        super().__init__(learning_rate, weight_decay)
        if not 0 <= momentum < 1:
            raise ValueError(f"SGD: momentum is {momentum}; it must be from 0 to 1")
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov needs a momentum above 0")
        self.momentum, self.nesterov = momentum, nesterov
        if momentum:
            self._STATES = ("velocity",)  # type: ignore[misc]

    @whole
    def _update(self, rate: float, scratch: NDArray[Any], *pieces: NDArray[Any]) -> None:
        arrays = pieces if self.momentum else (*pieces, None)
        in_core(_core.sgd, arrays, rate, self.weight_decay, self.momentum, self.nesterov)


class Adam(Optimizer):
    """Adam: steps of about the learning rate, whatever the gradients' scale.

    Parameters
    ----------
    learning_rate : float or callable, default 0.001
        Or a function of the number of steps made, as the schedules are.
    betas : (float, float), default (0.9, 0.999)
        What remains of the moments in each step.
    eps : float, default 1e-8
        Is added to the root of the second moment.
    weight_decay : float, default 0
        Times the parameter is added to its gradient.

    Attributes
    ----------
    steps : int
        Made so far.

    Methods
    -------
    step(parameters, gradients, learning_rate=None)
        Change the parameters in place; those without a gradient stay.
    state_dict()
        Steps and moments, as arrays by name.
    load_state_dict(state)
        Go on from there.

    Raises
    ------
    ValueError
        If a number is out of range.

    See Also
    --------
    AdamW

    Notes
    -----
    m += (1 - beta1) (g - m); v = beta2 v + (1 - beta2) g^2;
    p -= rate / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps), where t counts the steps of all parameters.

    References
    ----------
    D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> p = {"w": np.array([1.0])}
    >>> nn.Adam(0.1).step(p, {"w": np.array([50.0])})
    >>> p["w"].round(6)
    array([0.9])
    """

    _STATES: ClassVar[tuple[str, ...]] = ("mean", "square")
    _DECOUPLED: ClassVar[bool] = False

    def __init__(
        self,
        learning_rate: float | Callable[[int], float] = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(learning_rate, weight_decay)
        if not all(0 <= b < 1 for b in betas):
            raise ValueError(f"{self._name}: betas are {betas}; they must be from 0 to 1")
        if not eps >= 0:
            raise ValueError(f"{self._name}: eps is {eps}; it must be 0 or more")
        self.betas, self.eps = betas, eps

    @whole
    def _update(self, rate: float, scratch: NDArray[Any], *pieces: NDArray[Any]) -> None:
        (first, second), decay = self.betas, self.weight_decay
        shrink, added = (1 - rate * decay, 0.0) if self._DECOUPLED else (1.0, decay)
        # The root's correction is taken out of the fraction, which saves an operation.
        root = math.sqrt(1 - second**self.steps)
        change = rate * root / (1 - first**self.steps)
        in_core(_core.adam, pieces, change, shrink, added, first, second, self.eps * root)


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves.

    Parameters
    ----------
    learning_rate : float or callable, default 0.001
        Or a function of the number of steps made, as the schedules are.
    betas : (float, float), default (0.9, 0.999)
        What remains of the moments in each step.
    eps : float, default 1e-8
        Is added to the root of the second moment.
    weight_decay : float, default 0.01
        Parameters are multiplied by 1 - rate * weight_decay in each step.

    Attributes
    ----------
    steps : int
        Made so far.

    Methods
    -------
    step(parameters, gradients, learning_rate=None)
        Change the parameters in place; those without a gradient stay.
    state_dict()
        Steps and moments, as arrays by name.
    load_state_dict(state)
        Go on from there.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    p *= 1 - rate weight_decay, then as `Adam` without decay.

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> p = {"w": np.array([1.0])}
    >>> nn.AdamW(0.1, weight_decay=0.5).step(p, {"w": np.array([50.0])})
    >>> p["w"].round(6)
    array([0.85])
    """

    _DECOUPLED: ClassVar[bool] = True

    def __init__(
        self,
        learning_rate: float | Callable[[int], float] = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ):
        super().__init__(learning_rate, betas=betas, eps=eps, weight_decay=weight_decay)
