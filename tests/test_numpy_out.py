"""out= as numpy.matmul takes it: every dtype, layout, shape and overlap, and nothing else is written."""

import numpy as np
import pytest
from agreement import agree, integers

CODES = "?bhilqBHILQefdgFDGO"


@pytest.mark.parametrize("code", [*CODES, ">f8", ">f4", ">i4", "U32", "M8[s]"])
@pytest.mark.parametrize("operand", ["f", "d", "i", "D", "e"])
def test_dtype(operand, code):
    x, y = integers((3, 4), operand), integers((4, 2), operand)

    def call(matmul, casting="same_kind"):
        out = np.full((3, 2), 7).astype(code)
        try:
            assert matmul(x, y, out=out, casting=casting) is out
        except TypeError:
            return out, "refused"
        return out

    agree(call)
    agree(lambda matmul: call(matmul, "safe"))
    agree(lambda matmul: call(matmul, "no"))


def outs(base):
    """(name, view of the 5 x 7 x 12 array `base` with 3 rows and 4 columns)."""
    yield "C", base[0, :3, :4]
    yield "Fortran", base[0, :4, :3].T
    yield "strided", base[0, ::2, 1:9:2]
    yield "strided Fortran", base[0, :4, ::4].T
    yield "rows reversed", base[0, 2::-1, :4]
    yield "columns reversed", base[0, :3, 7:3:-1]
    yield "all reversed", base[0, 6:0:-2, 11:3:-2]
    yield "across the stack", base[1:4, 2, 3:7]
    yield "one column apart", base[1:4, :4, 2]


@pytest.mark.parametrize("index", range(9))
@pytest.mark.parametrize("code", ["f", "d", ">f8"])
def test_layout(code, index):
    x, y = integers((3, 5), "f" if code == "f" else "d"), integers((5, 4), "f" if code == "f" else "d")

    def call(matmul):
        base = np.full((5, 7, 12), 77, code)
        _, out = list(outs(base))[index]
        if out.shape != (3, 4):
            out = out[:3, :4]
        assert matmul(x, y, out=out) is out
        return base

    agree(call)


@pytest.mark.parametrize("shapes", [
    ((2, 3), (3, 4), (2, 4)), ((2, 3), (3, 4), (1, 2, 4)), ((2, 3), (3, 4), (5, 2, 4)),
    ((2, 3), (3, 4), (2, 5, 2, 4)), ((3,), (3,), ()), ((3,), (3,), (1,)), ((3,), (3,), (2, 2)),
    ((3,), (3, 4), (4,)), ((3,), (3, 4), (6, 4)), ((2, 3), (3,), (2,)), ((2, 3), (3,), (2, 1)),
    ((5, 2, 3), (3, 4), (5, 2, 4)), ((5, 2, 3), (3, 4), (2, 4)), ((5, 2, 3), (3, 4), (1, 2, 4)),
    ((5, 2, 3), (3, 4), (6, 2, 4)), ((1, 2, 3), (3, 4), (5, 2, 4)), ((2, 3), (3, 4), (4, 2)),
    ((2, 3), (3, 4), (2,)), ((2, 3), (3, 4), ()), ((2, 3), (3, 4), (2, 5)), ((2, 3), (3, 4), (0, 4)),
    ((0, 2, 3), (3, 4), (0, 2, 4)), ((0, 2, 3), (3, 4), (1, 2, 4)), ((2, 0), (0, 4), (2, 4)),
    ((2, 0), (0, 4), (3, 2, 4)), ((0, 3), (3, 4), (0, 4)), ((0, 3), (3, 4), (1, 4)),
    ((0,), (0,), ()), ((0,), (0, 4), (4,)), ((4, 3), (3,), (2, 4)),
], ids=str)
@pytest.mark.parametrize("code", "fdi")
def test_shape(code, shapes):
    x, y = integers(shapes[0], code), integers(shapes[1], code)

    def call(matmul):
        out = np.full(shapes[2], 77, code)
        try:
            assert matmul(x, y, out=out) is out
        except ValueError:
            return out, "refused"
        return out

    agree(call)


KINDS = {
    "tuple": lambda out: (out,), "tuple of None": lambda out: (None,), "two": lambda out: (out, out),
    "none at all": lambda out: (), "list of an array": lambda out: [out], "list": lambda out: out.tolist(),
    "float": lambda out: 1.0, "str": lambda out: "out", "scalar": lambda out: np.float64(1),
    "matrix": lambda out: out.view(np.matrix), "masked array": np.ma.masked_array,
    "object": lambda out: object(), "read-only view": lambda out: np.broadcast_to(out, (2, 2)),
    "read-only, stride 0": lambda out: np.broadcast_to(1.0, (2, 2)),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_kind(make):
    x, y = integers((2, 3)), integers((3, 2))
    agree(lambda matmul: matmul(x, y, out=make(np.zeros((2, 2)))))
    agree(lambda matmul: matmul(x, y, make(np.zeros((2, 2)))))


# Each entry takes x1, x2 and out from one buffer of 8 x 8.
OVERLAPS = {
    "out is x1": lambda s: (s[:4, :4], s[4:, :4], s[:4, :4]),
    "out is x2": lambda s: (s[:4, :4], s[4:, :4], s[4:, :4]),
    "x1 is x2": lambda s: (s[:4, :4], s[:4, :4], s[4:, 4:]),
    "all three": lambda s: (s, s, s),
    "out is x1 transposed": lambda s: (s[:4, :4], s[4:, :4], s[:4, :4].T),
    "out is x2 transposed": lambda s: (s[:4, :4], s[4:, :4], s[4:, :4].T),
    "out reversed": lambda s: (s, s, s[::-1, ::-1]),
    "out is one row on": lambda s: (s[:4, :4], s[4:, 4:], s[1:5, :4]),
    "out is one column on": lambda s: (s[:4, 4:], s[4:, :4], s[:4, 3:7]),
    "interleaved, disjoint": lambda s: (s[::2, ::2], s[1::2, ::2], s[1::2, 1::2]),
    "interleaved, shared": lambda s: (s[::2, ::2], s[1::2, 1::2], s[::2, :4]),
    "vector in, its row out": lambda s: (s[0], s, s[0]),
    "vector in, its column out": lambda s: (s, s[:, 2], s[:, 2]),
    "diagonal in": lambda s: (s, np.diagonal(s), s[3]),
    "one row repeated": lambda s: (np.broadcast_to(s[0], (8, 8)), s, s),
}


@pytest.mark.parametrize("name", OVERLAPS)
@pytest.mark.parametrize("code", ["f", "d", "i", ">f8", "O"])
def test_overlap(code, name):
    def call(matmul):
        buffer = integers((8, 8), code)
        matmul(*OVERLAPS[name](buffer))
        return buffer

    agree(call)


@pytest.mark.parametrize("code", "fd")
def test_overlap_of_large_and_stacked(code):
    """Beyond one cache block and one stack entry: a late tile must not read an early tile's result."""
    def square(matmul):
        x = integers((300, 300), code)
        return matmul(x, x, out=x)

    def shifted_stack(matmul):
        x = integers((6, 20, 20), code)
        matmul(x[:-1], x[:-1], out=x[1:])
        return x

    def broadcast_stack(matmul):
        x = integers((6, 20, 20), code)
        return matmul(x, x[2], out=x)

    def bytes_apart(matmul):
        raw = np.zeros(20 * 20 * 8 + 64, np.uint8)
        x = np.ndarray((20, 20), code, raw)
        x[...] = integers((20, 20), code)
        out = np.ndarray((20, 20), code, raw, 2 * x.itemsize)
        matmul(x, integers((20, 20), code), out=out)
        return out

    for call in (square, shifted_stack, broadcast_stack, bytes_apart):
        agree(call)
