"""Gradients by central finite differences, in float64."""

import numpy as np

STEP = 1e-5
# The differences' own error: STEP^2 of a third derivative of order 1 to 100, rounding 2^-53 / STEP ~ 1e-11.
TOLERANCE = {"rtol": 1e-6, "atol": 1e-7}


def numeric(function, x):
    """d function() / dx, where function reads x, which is changed in place."""
    gradient = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        here = x[at]
        x[at] = here + STEP
        above = function()
        x[at] = here - STEP
        below = function()
        x[at] = here
        gradient[at] = (above - below) / (2 * STEP)
    return gradient


def check_layer(layer, x, rng, *, inputs=True):
    """A layer's gradients against those of the sum of its result times random numbers."""
    y, saved = layer.forward(x)
    dy = rng.standard_normal(y.shape)
    dx, gradients = layer.backward(dy, saved)
    assert gradients.keys() == layer.parameters.keys()

    def loss():
        return float((layer.forward(x)[0] * dy).sum())

    for name, p in layer.parameters.items():
        assert gradients[name].shape == p.shape
        np.testing.assert_allclose(gradients[name], numeric(loss, p), err_msg=name, **TOLERANCE)
    if inputs:
        np.testing.assert_allclose(dx, numeric(loss, x), **TOLERANCE)
