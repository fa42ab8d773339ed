"""Shapes that come from the kernel row, operands in every memory layout, and buffers that tell on strays."""

import functools

import numpy as np
import oracle

import fastla

DTYPES = (np.float32, np.float64)
NEEDS = {
    "zen4": "an x86-64 CPU with AVX-512 (F, BW, DQ, VL)",
    "avx512": "an x86-64 CPU with AVX-512 (F, BW, DQ, VL)",
    "avx2": "an x86-64 CPU with AVX2 and FMA",
    "neon": "an AArch64 CPU",
}
SENTINEL = -12345.0


def isa_names():
    """Every instruction set the library was built with, best first."""
    return list(dict.fromkeys(row.isa for row in fastla.kernels()))


def usable(isa):
    return any(row.usable for row in fastla.kernels() if row.isa == isa)


def row_of(isa, dtype):
    """The kernel row of an instruction set for a dtype."""
    name = np.dtype(dtype).name
    return next(r for r in fastla.kernels() if (r.isa, r.dtype) == (isa, name))


def sizes(row):
    """(ms, ns, ks): the sizes at which the row's tiles and the blocks of K begin and end."""
    kb = oracle.kb(row.dtype)
    ms = [0, 1, row.mr - 1, row.mr, row.mr + 1, 2 * row.mr + 3]
    ns = [0, 1, row.nr - 1, row.nr, row.nr + 1, 2 * row.nr + 3]
    ks = [0, 1, 2, kb - 1, kb, kb + 1, 2 * kb + 5]
    return sorted(set(ms)), sorted(set(ns)), ks


def random_matrix(rng, shape, dtype):
    """Entries of both signs over 12 binades: nearly every sum rounds, so another order shows."""
    x = rng.standard_normal(shape) * np.exp2(rng.integers(-6, 6, shape))
    return x.astype(dtype)


@functools.lru_cache(maxsize=32)
def case(m, n, ks, dtype, seed=0):
    """Operands with m rows and n columns, and {k: the oracle's product} for every k of ks."""
    rng = np.random.default_rng([seed, m, n])
    a = random_matrix(rng, (m, max(ks)), dtype)
    b = random_matrix(rng, (max(ks), n), dtype)
    found = oracle.matmul2(a, b, lengths=ks)
    for x in (a, b, *found.values()):
        x.flags.writeable = False
    return a, b, found


def assert_same_bits(got, want, context=""):
    """Equal shape, dtype and bits; any NaN equals any NaN (payloads are not promised)."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{context}: shape {got.shape}, expected {want.shape}"
    assert got.dtype == want.dtype, f"{context}: dtype {got.dtype}, expected {want.dtype}"
    unsigned = np.dtype(f"u{got.dtype.itemsize}")
    same = np.ascontiguousarray(got).view(unsigned) == np.ascontiguousarray(want).view(unsigned)
    same |= np.isnan(got) & np.isnan(want)
    if not same.all():
        i = tuple(int(x) for x in np.argwhere(~same)[0])
        raise AssertionError(
            f"{context}: {np.count_nonzero(~same)} of {same.size} elements differ, first at {i}: "
            f"got {float(got[i]).hex()}, expected {float(want[i]).hex()}")


def poisoned(x, rows=2, cols=3):
    """x inside a larger buffer of NaN: a read beyond an edge shows in the result."""
    if x.ndim == 1:
        buffer = np.full(x.shape[0] + 2 * cols, np.nan, x.dtype)
        view = buffer[cols:cols + x.shape[0]]
    else:
        m, n = x.shape[-2:]
        buffer = np.full((*x.shape[:-2], m + 2 * rows, n + 2 * cols), np.nan, x.dtype)
        view = buffer[..., rows:rows + m, cols:cols + n]
    view[...] = x
    return view


class Guarded:
    """An output inside a larger buffer of sentinels. layout: "C", "F", "strided" or "reversed"."""

    def __init__(self, shape, dtype, layout="C", fill=np.nan):
        m, n = shape
        step = 3 if layout == "strided" else 1
        inner = (m * step, n * step) if layout != "F" else (n, m)
        self.buffer = np.full((inner[0] + 4, inner[1] + 6), SENTINEL, dtype)
        out = self.buffer[2:2 + inner[0]:step, 3:3 + inner[1]:step]
        if layout == "F":
            out = out.T
        if layout == "reversed":
            out = out[::-1, ::-1]
        out[...] = fill
        self.out = out

    def check(self, context=""):
        outside = np.ones(self.buffer.shape, bool)
        origin = self.buffer.__array_interface__["data"][0]
        start = self.out.__array_interface__["data"][0] - origin
        i, j = np.indices(self.out.shape)
        rows, cols = self.out.strides
        where = (start + i * rows + j * cols) // self.buffer.itemsize
        outside.reshape(-1)[where.ravel()] = False
        sentinel = self.buffer.dtype.type(SENTINEL)
        assert (self.buffer[outside] == sentinel).all(), f"{context}: written outside out"


def unaligned(x):
    """x at an address that is one byte off."""
    raw = np.empty(x.nbytes + 1, np.uint8)
    view = np.ndarray(x.shape, x.dtype, raw, 1)
    view[...] = x
    return view


def struct_field(x, align):
    """x as a field of records: strides are no multiple of the item size unless align is true."""
    record = np.dtype([("tag", "u1"), ("x", x.dtype), ("tail", "u1")], align=align)
    records = np.zeros(x.shape, record)
    records["x"] = x
    return records["x"]


def strided(x, step=2):
    """x as every step-th element of a buffer of NaN, along every axis."""
    big = np.full(tuple(step * s for s in x.shape), np.nan, x.dtype)
    view = big[tuple(slice(None, None, step) for _ in x.shape)]
    view[...] = x
    return view


def layouts(x):
    """(name, array equal to x) for every way of storing a matrix that a product must see through."""
    swapped = x.astype(x.dtype.newbyteorder())
    yield "C", np.ascontiguousarray(x)
    yield "Fortran", np.asfortranarray(x)
    yield "padded", poisoned(x)
    yield "padded Fortran", poisoned(x.T).T
    yield "strided", strided(x)
    yield "strided Fortran", strided(np.ascontiguousarray(x.T), 3).T
    yield "rows reversed", np.ascontiguousarray(x[::-1])[::-1]
    yield "columns reversed", np.ascontiguousarray(x[:, ::-1])[:, ::-1]
    yield "both reversed", strided(x[::-1, ::-1])[::-1, ::-1]
    yield "unaligned", unaligned(x)
    yield "byte-swapped", swapped
    yield "byte-swapped, unaligned, reversed", unaligned(swapped[::-1])[::-1]
    yield "struct field", struct_field(x, False)
    yield "aligned struct field", struct_field(x, True)
    yield "byte-swapped struct field, transposed", struct_field(swapped.T, False).T
    frozen = x.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen
