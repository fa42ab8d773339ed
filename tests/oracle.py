"""docs/contract.md a second time, in Python: what every product's bits must be.

Shares no code with the kernels. Two ways to compute a fused multiply-add:

- `fma_scalar`: one element, by the C library's fma and fmaf;
- `fma`: whole arrays, by error-free transformations in NumPy, with the same bits.

tests/test_properties.py checks each against exact rational arithmetic.
"""

import ctypes
import ctypes.util

import numpy as np

KB = 512  # terms in a block of K; the contract lets it depend on the dtype, and so far it does not

_libm = ctypes.CDLL(ctypes.util.find_library("m"))
_libm.fma.restype, _libm.fma.argtypes = ctypes.c_double, [ctypes.c_double] * 3
_libm.fmaf.restype, _libm.fmaf.argtypes = ctypes.c_float, [ctypes.c_float] * 3


def kb(dtype):
    """Length of a block of K."""
    return {"float32": KB, "float64": KB}[np.dtype(dtype).name]


def fma_scalar(x, y, z, dtype):
    """round(x y + z), once, for one element."""
    dtype = np.dtype(dtype)
    f = _libm.fmaf if dtype == np.float32 else _libm.fma
    return dtype.type(f(float(x), float(y), float(z)))


def fma(x, y, z):
    """round(x y + z), once, elementwise; x, y, z share one dtype and broadcast."""
    with np.errstate(all="ignore"):
        return _fma32(x, y, z) if np.asarray(z).dtype == np.float32 else _fma64(x, y, z)


def _two_sum(x, y):
    """s = round(x + y) and its exact error (Knuth)."""
    s = x + y
    t = s - x
    return s, (x - (s - t)) + (y - t)


def _add_to_odd(x, y):
    """x + y rounded to odd: when inexact, the neighbour whose last bit is 1. Rounding such a value once
    more, to two bits fewer or less, gives what rounding the exact sum would have given."""
    s, error = _two_sum(x, y)
    bits = np.atleast_1d(s).view(np.int64)
    error = np.atleast_1d(error)
    # NaN errors (s is Inf or NaN) compare false twice and move nothing.
    away = (error > 0) == (np.atleast_1d(s) > 0)
    move = ((error > 0) | (error < 0)) & (bits & 1 == 0)
    bits = bits + np.where(move, np.where(away, 1, -1), 0)
    return bits.view(np.float64).reshape(np.shape(s))


def _fma32(x, y, z):
    # A product of two float32 is exact in float64, where no sum of float32 products over- or underflows;
    # 53 >= 2*24 + 2 makes the rounding to float32, also to a subnormal, the only one.
    product = np.asarray(x, np.float64) * np.asarray(y, np.float64)
    return _add_to_odd(product, np.asarray(z, np.float64)).astype(np.float32)


def _split(x):
    """x = high + low, 26 bits each (Veltkamp)."""
    t = x * 134217729.0  # 2^27 + 1
    high = t - (t - x)
    return high, x - high


def _fma64(x, y, z):
    x, y, z = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (x, y, z)))
    # S. Boldo, G. Melquiond, Emulation of a FMA and correctly rounded sums, 2008.
    xh, xl = _split(x)
    yh, yl = _split(y)
    uh = x * y
    ul = xl * yl - (((uh - xh * yh) - xl * yh) - xh * yl)  # exact error of uh (Dekker)
    th, tl = _two_sum(z, ul)
    vh, vl = _two_sum(uh, th)
    result = np.atleast_1d(vh + _add_to_odd(tl, vl))

    ax, ay, az = np.abs(x), np.abs(y), np.abs(z)
    tiny, huge = 2.0**-400, 2.0**400
    safe = (ax > tiny) & (ay > tiny) & (ax < huge) & (ay < huge)
    safe &= (z == 0) | ((az > 2.0**-800) & (az < 2.0**900))
    # A product with 0, Inf or NaN is exact; Inf or NaN plus a finite product is itself.
    exact = (x == 0) | (y == 0) | ~np.isfinite(x) | ~np.isfinite(y)
    result = np.where(exact.reshape(result.shape), np.atleast_1d(x * y + z), result)
    itself = ~exact & ~np.isfinite(z)
    result = np.where(itself.reshape(result.shape), np.atleast_1d(z), result)
    # Elsewhere one of the steps above may overflow or lose bits below the smallest subnormal.
    flat = result.reshape(-1)
    for i in np.flatnonzero(~(safe | exact | itself)):
        flat[i] = _libm.fma(x.flat[i], y.flat[i], z.flat[i])
    return result.reshape(np.shape(vh))


def complex2(a, b):
    """matmul2 of complex operands: four chains in each block."""
    real = {"complex64": np.float32, "complex128": np.float64}[a.dtype.name]
    (m, k), n = a.shape, b.shape[1]
    parts = [x.astype(a.dtype.newbyteorder("=")) for x in (a, b)]
    (ar, ai), (br, bi) = [(np.ascontiguousarray(x.real), np.ascontiguousarray(x.imag)) for x in parts]
    total = np.zeros((2, m, n), real)
    with np.errstate(all="ignore"):
        for start in range(0, k, kb(real)):
            chains = np.zeros((4, m, n), real)
            for p in range(start, min(k, start + kb(real))):
                for chain, (x, y) in enumerate([(ar, br), (ai, bi), (ar, bi), (ai, br)]):
                    chains[chain] = fma(x[:, p, None], y[None, p, :], chains[chain])
            rr, ii, ri, ir = chains
            total = total + np.stack([rr - ii, ri + ir])
    result = np.empty((m, n), a.dtype.newbyteorder("="))
    result.real, result.imag = total
    return result


def matmul2(a, b, *, lengths=None):
    """The m x n product of a and b. With lengths, a dict {k: product of the first k columns of a and
    rows of b}, all from one sweep."""
    dtype = a.dtype.newbyteorder("=")
    a, b = a.astype(dtype), b.astype(dtype)
    (m, k), n = a.shape, b.shape[1]
    if b.shape[0] != k:
        raise ValueError(f"oracle: a is {a.shape}, b is {b.shape}")
    wanted = {k} if lengths is None else set(lengths)
    found = {}
    total = np.zeros((m, n), dtype)
    s = np.zeros((m, n), dtype)
    with np.errstate(all="ignore"):
        for p in range(k + 1):
            if p in wanted:
                found[p] = total + s if p % kb(dtype) else total.copy()
            if p == k:
                break
            s = fma(a[:, p, None], b[None, p, :], s)
            if (p + 1) % kb(dtype) == 0:
                total = total + s
                s = np.zeros((m, n), dtype)
    return found[k] if lengths is None else found


def matmul2_scalar(a, b):
    """The same, one element and one libm call at a time."""
    dtype = a.dtype
    c = np.zeros((a.shape[0], b.shape[1]), dtype)
    with np.errstate(all="ignore"):
        for i, j in np.ndindex(*c.shape):
            total = dtype.type(0)
            for k0 in range(0, a.shape[1], kb(dtype)):
                s = dtype.type(0)
                for p in range(k0, min(k0 + kb(dtype), a.shape[1])):
                    s = fma_scalar(a[i, p], b[p, j], s, dtype)
                total = total + s
            c[i, j] = total
    return c


def matmul(a, b):
    """Stacked and 1-D operands by NumPy's rules."""
    a2 = a[None, :] if a.ndim == 1 else a
    b2 = b[:, None] if b.ndim == 1 else b
    stack = np.broadcast_shapes(a2.shape[:-2], b2.shape[:-2])
    a2 = np.broadcast_to(a2, stack + a2.shape[-2:])
    b2 = np.broadcast_to(b2, stack + b2.shape[-2:])
    c = np.empty((*stack, a2.shape[-2], b2.shape[-1]), a.dtype.newbyteorder("="))
    for i in np.ndindex(*stack):
        c[i] = matmul2(a2[i], b2[i])
    c = c[..., 0] if b.ndim == 1 else c
    return (c[..., 0] if b.ndim == 1 else c[..., 0, :]) if a.ndim == 1 else c


def epilogue(y, *, alpha=1.0, beta=0.0, c=None, row_scale=None, col_scale=None, bias=None,
             row_bias=None, activation=None, gate=None, residual=None):
    """The steps of the contract, in its order; every one rounds to y's dtype."""
    t = y.dtype.type
    with np.errstate(all="ignore"):
        if t(alpha) != 1:
            y = t(alpha) * y
        if row_scale is not None:
            y = y * row_scale[:, None]
        if col_scale is not None:
            y = y * col_scale[None, :]
        if beta != 0:
            y = fma(np.full_like(y, beta), np.asarray(c), y)
        if bias is not None:
            y = y + bias[None, :]
        if row_bias is not None:
            y = y + row_bias[:, None]
        if activation is not None:
            y = activate(activation, y)
        if gate is not None:
            y = y * gate
        if residual is not None:
            y = y + residual
    return y


def activate(name, x):
    """An activation of every element, by the scalar oracle of the library's functions."""
    x = np.asarray(x)
    if name == "relu":
        return np.where(np.signbit(x) & ~np.isnan(x), x.dtype.type(0), x)
    import oracle_functions

    y = [oracle_functions.activate(name, v, x.dtype) for v in x.ravel()]
    return np.array(y, x.dtype).reshape(x.shape)


def gemm(a, b, **steps):
    """The product of two matrices followed by the epilogue."""
    return epilogue(matmul2(a, b), **steps)
