"""What optimizers have in common: pieces that stay in cache, states by name, clipping."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._vectors import vecdot
from ._rows import WIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

# Elements: with two states, a gradient and two rows of scratch 768 KiB of float32, within an L2 cache, so
# that the dozen passes of a step over a piece read and write memory once.
_PIECE = 1 << 15


def whole(update: Any) -> Any:
    """Marks an `_update` that takes arrays as they are: it needs neither pieces nor scratch."""
    update.whole = True
    return update


def in_core(step: Callable[..., bool], arrays: tuple[Any, ...], *numbers: float) -> None:
    """A compiled step of a parameter, its gradient and its states, or of copies that lie as it needs them."""
    if step(*arrays, *numbers):
        return  # as a rule
    dtype = arrays[0].dtype
    copies = [
        x if x is None else np.asarray(x).astype(dtype, order="C", casting="same_kind")
        for x in arrays
    ]
    if not step(*copies, *numbers):
        raise TypeError(f"a step takes arrays of float32 or float64, not {dtype} {arrays[0].shape}")
    for i, (x, made) in enumerate(zip(arrays, copies, strict=True)):
        if i != 1 and x is not None:  # all but the gradient
            x[...] = made


class Optimizer:
    """What optimizers have in common; `SGD`, `Adam` and `AdamW` say how a step is made.

    Parameters
    ----------
    learning_rate : float or callable
        Or a function of the number of steps made, as the schedules are.
    weight_decay : float

    Attributes
    ----------
    steps : int
        Made so far.

    Methods
    -------
    step(parameters, gradients, learning_rate=None)
        Change the parameters in place; those without a gradient stay.
    state_dict()
        Steps and states, as arrays by name.
    load_state_dict(state)
        Go on from there.

    Notes
    -----
    A class of your own has `_STATES`, names of arrays that it keeps for each parameter, and `_update`, which
    is called with pieces of them that stay in cache.

    Examples
    --------
    >>> from fastla import nn
    >>> isinstance(nn.SGD(0.1), nn.Optimizer)
    True
    """

    _STATES: ClassVar[tuple[str, ...]] = ()

    def __init__(self, learning_rate: Any, weight_decay: float):
        if not callable(learning_rate) and not learning_rate >= 0:
            raise ValueError(
                f"{self._name}: learning_rate is {learning_rate}; it must be 0 or more"
            )
        if not weight_decay >= 0:
            raise ValueError(f"{self._name}: weight_decay is {weight_decay}; it must be 0 or more")
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.steps = 0
        self._states: dict[str, tuple[NDArray[Any], ...]] = {}
        self._scratch: dict[np.dtype[Any], NDArray[Any]] = {}

    @property
    def _name(self) -> str:
        return type(self).__name__

    def step(
        self,
        parameters: Mapping[str, NDArray[Any]],
        gradients: Mapping[str, NDArray[Any]],
        learning_rate: float | None = None,
    ) -> None:
        """Change every parameter that has a gradient, in place."""
        for name, g in gradients.items():
            self._check(name, parameters.get(name), g)
        if learning_rate is None:
            given = self.learning_rate
            learning_rate = given(self.steps) if callable(given) else given
        self.steps += 1
        rate, scratch = float(learning_rate), np.empty((2, 0))
        for name, g in gradients.items():
            p = parameters[name]
            if name not in self._states:
                self._states[name] = tuple(np.zeros_like(p) for _ in self._STATES)
            arrays = (p, g, *self._states[name])
            if hasattr(self._update, "whole"):
                self._update(rate, scratch, *arrays)
                continue
            for pieces in _pieces(*arrays):
                self._update(rate, self._two_like(pieces[0]), *pieces)

    def _check(self, name: str, p: NDArray[Any] | None, g: NDArray[Any]) -> None:
        if p is None:
            raise ValueError(f"{self._name}: {name} has a gradient, {g.shape}, but is no parameter")
        if p.shape != g.shape:
            raise ValueError(f"{self._name}: {name} is {p.shape}, its gradient {g.shape}")
        for x in self._states.get(name, ()):
            if x.shape != p.shape:
                raise ValueError(f"{self._name}: {name} is {p.shape}, its state {x.shape}")
        if p.dtype not in WIDE:
            raise TypeError(f"{self._name}: {name} is {p.dtype}; it must be float32 or float64")

    def _two_like(self, p: NDArray[Any]) -> NDArray[Any]:
        """Scratch for two arrays like a piece."""
        if p.size > _PIECE:
            return np.empty((2, *p.shape), p.dtype)
        if p.dtype not in self._scratch:
            self._scratch[p.dtype] = np.empty(2 * _PIECE, p.dtype)
        return self._scratch[p.dtype][: 2 * p.size].reshape(2, *p.shape)

    def _update(self, rate: float, scratch: NDArray[Any], *pieces: NDArray[Any]) -> None:
        """A parameter, its gradient and its states, of which all but the gradient are changed."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """The number of steps and the states, as arrays by name: what a checkpoint keeps."""
        states = {
            f"{what}.{name}": x
            for name, xs in self._states.items()
            for what, x in zip(self._STATES, xs, strict=True)
        }
        return {"steps": np.array(self.steps), **states}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state_dict` gave, in copies."""
        found: dict[str, dict[str, NDArray[Any]]] = {}
        for key, x in state.items():
            what, _, name = key.partition(".")
            if what in self._STATES and name:
                found.setdefault(name, {})[what] = np.array(x)
            elif key != "steps":
                raise ValueError(f"{self._name}: it has no state {key!r}, {x.shape}")
        for name, xs in found.items():
            if len(xs) != len(self._STATES):
                raise ValueError(
                    f"{self._name}: of {name} there are {sorted(xs)}; it needs {self._STATES}"
                )
        self._states = {
            name: tuple(xs[what] for what in self._STATES) for name, xs in found.items()
        }
        self.steps = int(state["steps"])


def _pieces(*arrays: NDArray[Any]) -> Iterator[tuple[NDArray[Any], ...]]:
    """Views of the same part of each."""
    if arrays[0].ndim and arrays[0].size <= _PIECE:
        yield arrays
        return
    if all(x.flags.c_contiguous for x in arrays):
        arrays = tuple(x.reshape(-1) for x in arrays)
    length, size = len(arrays[0]), arrays[0].size
    some = max(1, _PIECE * length // size)
    for start in range(0, length, some):
        yield tuple(x[start : start + some] for x in arrays)


def clip_by_global_norm(gradients: Mapping[str, NDArray[Any]], limit: float) -> float:
    """Scale gradients in place, all by the same factor, so that their norm together is at most the limit.

    Parameters
    ----------
    gradients : dict of str to ndarray
    limit : float

    Returns
    -------
    float
        The norm that they had: the root of the sum of all squares.

    Raises
    ------
    ValueError
        If the limit is not positive.

    Notes
    -----
    The factor is ``limit / (norm + 1e-6)``, as PyTorch's. Squares are summed by `fastla.vecdot`, in the dtype
    of each gradient.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> g = {"a": np.array([3.0]), "b": np.array([4.0])}
    >>> nn.clip_by_global_norm(g, 1.0), g["a"].round(3)
    (5.0, array([0.6]))
    """
    if not limit > 0:
        raise ValueError(f"clip_by_global_norm: limit is {limit}; it must be positive")
    rows = (g.reshape(-1) for g in gradients.values())
    norm = math.sqrt(math.fsum(float(vecdot(row, row)) for row in rows))
    factor = limit / (norm + 1e-6)
    if not factor >= 1:  # NaN scales too
        for g in gradients.values():
            g *= factor
    return norm
