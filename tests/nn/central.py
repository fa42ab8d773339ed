"""Gradients compared with central differences, in float64."""

import numpy as np

STEP = 1e-4


def check(loss, arrays, gradients, rng, tolerance=1e-8):
    """d loss along a random direction of each array, by differences of order 4; the loss is a function of
    what the arrays hold."""
    assert gradients.keys() == arrays.keys()
    for name, array in arrays.items():
        assert gradients[name].shape == array.shape, name
        assert gradients[name].dtype == array.dtype == np.float64, name
        direction, before, slope = rng.standard_normal(array.shape), array.copy(), 0.0
        for steps, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            array[...] = before + steps * STEP * direction
            slope += weight * loss() / (12 * STEP)
        array[...] = before
        given = float((gradients[name] * direction).sum())
        assert abs(slope - given) <= tolerance * max(1.0, abs(slope)), (name, slope, given)


def spread(parameters, rng, scale=0.4):
    """Parameters far from where gradients vanish."""
    for array in parameters.values():
        array[...] = rng.standard_normal(array.shape) * scale + (array.mean() if array.ndim == 1 else 0)
