"""Matrices of every rank and dtype, and how far rounding may take what is computed from them."""

import numpy as np
from numpy.linalg import svd  # the one that no test replaces

DTYPES = (np.float32, np.float64, np.complex64, np.complex128)
SHAPES = ((1, 1), (1, 4), (4, 1), (3, 3), (7, 4), (4, 7), (20, 6), (6, 20), (33, 33))


def gaussian(rng, shape, dtype):
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)


def orthonormal(rng, rows, columns):
    """Columns, in complex128."""
    return np.linalg.qr(gaussian(rng, (rows, columns), np.complex128))[0]


def of_singular_values(rng, shape, s, dtype):
    """A matrix, rounded to dtype, with these singular values and zeros."""
    m, n = shape
    u, v = orthonormal(rng, m, len(s)), orthonormal(rng, n, len(s))
    if np.dtype(dtype).kind == "f":
        u, v = (np.linalg.qr(x.real)[0] for x in (u, v))
    return (u * np.asarray(s) @ v.conj().T).astype(dtype)


def of_rank(rng, shape, rank, dtype):
    """Singular values from 1 to 2."""
    return of_singular_values(rng, shape, np.linspace(2, 1, rank), dtype)


def rounding(x):
    """c eps, with c = 20 times the longer side: backward errors of factorisations and products (N. Higham,
    Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem 19.4) with room for their constants."""
    return 20 * max(*x.shape[-2:], 1) * np.finfo(x.dtype).eps


def spectral(x):
    """Largest singular value of any matrix of a stack."""
    return svd(x.astype(np.result_type(x, np.float64)), compute_uv=False).max(initial=0)
