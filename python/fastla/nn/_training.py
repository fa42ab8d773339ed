"""Training: `fit`."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from ._files import kind_of
from ._loop import History, Loop
from ._objective import Objective
from ._progress import Progress

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ._callbacks import Epoch
    from ._initial import Random
    from ._layers import Layer
    from ._optimizer import Optimizer


def _samples(what: str, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    left, right = np.asarray(x), np.asarray(y)
    if left.ndim == 0 or right.ndim == 0 or len(left) != len(right) or not len(left):
        raise ValueError(
            f"fit: {what}x is {left.shape}, y is {right.shape}; they must have the same number of samples"
        )
    return left, right


def _positive(what: str, n: int) -> int:
    if operator.index(n) < 1:
        raise ValueError(f"fit: {what} is {n}; it must be positive")
    return operator.index(n)


def fit(
    model: Layer,
    x: ArrayLike,
    y: ArrayLike,
    *,
    optimizer: Optimizer,
    loss: str | Callable[..., tuple[Any, Any]] = "cross_entropy",
    epochs: int,
    batch_size: int = 128,
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    schedule: Callable[[int], float] | None = None,
    clip: float | None = None,
    rng: Random = None,
    progress: bool = True,
    callbacks: Sequence[Callable[[Epoch], bool | None]] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
) -> History:
    """Train a model: steps against the gradient of a loss, over random batches of samples.

    Parameters
    ----------
    model : Layer
        Anything with `parameters`, `forward` and `backward`; they change in place.
    x, y : array_like
        Samples and targets, (n, ...): classes for cross entropy, -100 where there is none, else of the shape
        of the outputs.
    optimizer : Optimizer
        `SGD`, `Adam` or `AdamW`.
    loss : {'cross_entropy', 'mse'} or callable, default 'cross_entropy'
        Or a function of model, x and y that returns the mean loss of a batch, and gradients by name; one
        that takes `rng=None` too is given the generator in training, and nothing in validation.
    epochs : int
        How often every sample is seen, those of a resumed training included.
    batch_size : int, default 128
        The last batch of an epoch may be smaller.
    validation : (array_like, array_like), optional
        Samples and targets on which the loss is reported after each epoch.
    schedule : callable, optional
        The learning rate by the number of steps that the optimizer has made, instead of its own.
    clip : float, optional
        The largest norm of all gradients together: see `clip_by_global_norm`.
    rng : numpy.random.Generator or int, optional
        Which draws the order of samples and what dropout leaves out, or a seed.
    progress : bool, default True
        Whether to say on stderr how far it is.
    callbacks : sequence of callable, default ()
        Each is told an `Epoch` after each epoch; True stops the training.
    checkpoint : path-like, optional
        A .npz or .safetensors file (extra ``fastla[nn]``), written anew after each epoch.
    checkpoint_every : int, optional
        And after so many steps.
    resume : bool, default False
        Go on from the checkpoint, if that file exists.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If the shapes do not fit, or the checkpoint is that of another model or other samples.

    See Also
    --------
    predict, score, EarlyStopping, MLP

    Notes
    -----
    Every product is fastla's: with one seed the parameters have the same bits for any number of threads. A
    training that was interrupted and resumed has the bits of one that was not: parameters, the states of
    optimizer, callbacks and generator, dropout's too, and the place in the epoch are in the checkpoint.

    A model whose `forward` takes `rng` is given the generator, so that its dropout takes part; validation,
    `predict` and `score` call the model without it.

    Ctrl-C ends the training after the step in which it comes, writes the checkpoint and returns, with
    ``stopped == 'interrupted'``: parameters are never left in the middle of a step. A second Ctrl-C
    interrupts at once.

    Examples
    --------
    >>> import numpy as np
    >>> from fastla import nn
    >>> x, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    >>> model = nn.MLP((2, 8, 2), rng=1)
    >>> history = nn.fit(model, x, y, optimizer=nn.Adam(0.05), epochs=200, rng=0, progress=False)
    >>> nn.predict(model, x)
    array([0, 1, 1, 0])
    """
    samples, targets = _samples("", x, y)
    if checkpoint is not None:
        kind_of("fit", checkpoint)
    if checkpoint_every is not None:
        _positive("checkpoint_every", checkpoint_every)
    loop = Loop(
        model=model,
        x=samples,
        y=targets,
        optimizer=optimizer,
        objective=Objective(model, loss),
        epochs=operator.index(epochs),
        batch_size=_positive("batch_size", batch_size),
        rng=np.random.default_rng(rng),
        validation=None if validation is None else _samples("validation's ", *validation),
        schedule=schedule,
        clip=clip,
        callbacks=tuple(callbacks),
        checkpoint=checkpoint,
        every=checkpoint_every,
    )
    if resume:
        loop.resume()
    shown = Progress(progress, loop.epochs, -(-len(samples) // loop.batch_size))
    try:
        loop.run(shown)
    finally:
        shown.close()
    return loop.history
