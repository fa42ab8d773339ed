"""Operations on rows have docs/rows.md's bits: on every instruction set, at every length, for every dtype and
number of threads, in every layout."""

import doctest
import functools
import pathlib

import numpy as np
import pytest
import row_cases
import shapes
from row_cases import OPERATIONS, by_name
from shapes import assert_same_bits
from test_functions import arguments

import fastla
from fastla import nn

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "rows.md"
OF_ROWS = [name for name in OPERATIONS if name.strip("'") not in row_cases.NAMES]
LENGTHS = (0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 513)


def assert_all_same(got, want, context):
    assert len(got) == len(want), context
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        assert_same_bits(g, w, f"{context}, result {i}")


@pytest.mark.parametrize("name", OPERATIONS)
@by_name
def test_lengths(isa, dtype, name):
    lengths = LENGTHS if name in OF_ROWS else LENGTHS[:12]
    for columns in lengths:
        got = OPERATIONS[name](row_cases.operands(3, columns, dtype))
        assert_all_same(got, row_cases.expected(name, 3, columns, dtype), f"{columns} columns")


MANY = (300, 129)  # several tasks, whose last block of 64 rows is not whole


@pytest.mark.parametrize("name", OF_ROWS)
@by_name
def test_many_rows(threads, dtype, name):
    c = row_cases.operands(*MANY, dtype)
    assert_all_same(OPERATIONS[name](c, num_threads=threads), row_cases.expected(name, *MANY, dtype), name)


@pytest.mark.parametrize("name", row_cases.NAMES)
def test_activations_on_threads(threads, dtype, name):
    """Contiguous arrays are cut into pieces of their own, whatever the rows."""
    x = shapes.random_matrix(np.random.default_rng(3), (48, 4096 // 3 * 3 + 1), dtype)
    for given in (x, x.reshape(-1)[: 12 * 4096], x[:, 3:]):
        want = nn.activation(given, name, num_threads=1)
        assert_same_bits(want.reshape(-1)[:100], row_cases.rows.activation(given.reshape(-1)[:100], name))
        assert_same_bits(nn.activation(given, name, num_threads=threads), want)
        back = nn.activation_backward(given, given, name, num_threads=1)
        assert_same_bits(nn.activation_backward(given, given, name, num_threads=threads), back)


@functools.cache
def slopes(name, dtype):
    return row_cases.rows.slope(name, arguments(dtype))


@pytest.mark.parametrize("name", row_cases.NAMES)
def test_derivatives(isa, dtype, name):
    """Of every binade, both signs, the neighbourhoods of all thresholds, and what is special."""
    x, want = arguments(dtype), slopes(name, dtype)
    for start in (0, 1, len(x) - 41):
        got = nn.activation_backward(np.ones_like(x[start:]), x[start:], name)
        assert_same_bits(got, want[start:], name)


@pytest.mark.parametrize("name", OF_ROWS)
def test_special_values(isa, dtype, name):
    """One in a row, which is usual else; and rows of nothing else: where NaN is, too."""
    rng = np.random.default_rng(8)
    for columns in (1, 2, 17, 40):
        c = row_cases.operands(70, columns, dtype)
        for alone in (True, False):
            changed = dict(vars(c))
            for what in ("x", "dy", "below"):
                values = row_cases.special(rng, (70, columns), dtype)
                values = -abs(values) if what == "below" else values
                one = np.arange(columns) == rng.integers(0, columns, (70, 1))
                changed[what] = np.where(one, values, changed[what]) if alone else values
            given = type(c)(**changed)
            with np.errstate(all="raise"):
                got = OPERATIONS[name](given)
            assert_all_same(got, OPERATIONS[name].expected(given), f"{columns} columns, {alone}")


@pytest.mark.parametrize("rows, columns", [(70000, 5), (1100, 1001), (1100, 1024)])
@pytest.mark.parametrize("name", [n for n, o in OPERATIONS.items() if o.in_place])
def test_large_results(isa, name, rows, columns):
    """Of some MiB, which need not go through the caches: as by few rows, wherever the result lies."""
    c = row_cases.operands(rows, columns, np.float32)
    few = []
    for i in range(0, rows, rows // 10):
        part = {k: v if k in ("weight", "bias") else v[i : i + rows // 10] for k, v in vars(c).items()}
        few += OPERATIONS[name](type(c)(**part))
    want = np.concatenate(few)
    buffer = np.empty(want.nbytes + 192, np.uint8)
    line = -buffer.ctypes.data % 64
    for offset in (0, 4, 16, 44, 63):  # 63: no element is aligned
        buffer[:] = 0xA5
        begin = line + offset
        out = buffer[begin : begin + want.nbytes].view(np.float32).reshape(want.shape)
        OPERATIONS[name](c, out=out)
        assert_same_bits(out, want, f"{offset} bytes into a line")
        assert (buffer[:begin] == 0xA5).all() and (buffer[begin + want.nbytes :] == 0xA5).all()


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_row_alone(isa, dtype, name):
    """What a row gives does not depend on the others; sums of columns are those of the rows given."""
    c = row_cases.operands(3, 257, dtype)
    whole = row_cases.expected(name, 3, 257, dtype)[0]
    for i in range(3):
        one = type(c)(**{k: v if k in ("weight", "bias") else v[i : i + 1] for k, v in vars(c).items()})
        assert_same_bits(OPERATIONS[name](one)[0], whole[i : i + 1], f"row {i}")


def transposed(x):
    return np.ascontiguousarray(x.swapaxes(0, 1)).swapaxes(0, 1)


@pytest.mark.parametrize("name", OPERATIONS)
@by_name
def test_layouts(dtype, name):
    operation, c = OPERATIONS[name], row_cases.operands(3, 33, dtype)
    want = row_cases.expected(name, 3, 33, dtype)
    given = operation.given(c)
    kinds = {name: dict(shapes.layouts(x)) for name, x in given.items()}
    for layout in kinds["x"]:
        if np.dtype(dtype).name == "bfloat16" and "swapped" in layout:
            continue  # ml_dtypes knows no other byte order
        got = operation(c, **{what: of[layout] for what, of in kinds.items()})
        assert_all_same(got, want, layout)
    for what, x in given.items():
        assert_same_bits(
            x,
            row_cases.operands(3, 33, dtype).__dict__["dy" if what == "dy" else operation.second],
            "an operand",
        )


OUTS = ("C", "F", "strided", "reversed")


@pytest.mark.parametrize("name", [n for n, o in OPERATIONS.items() if o.in_place])
def test_out(isa, dtype, name):
    operation, c = OPERATIONS[name], row_cases.operands(3, 33, dtype)
    (want,) = row_cases.expected(name, 3, 33, dtype)
    for layout in OUTS:
        to = shapes.Guarded((3, 33), dtype, layout)
        (got,) = operation(c, out=to.out)
        assert got is to.out
        assert_same_bits(to.out, want, layout)
        to.check(layout)
        for what in operation.given(c):
            place = shapes.Guarded((3, 33), dtype, layout)
            place.out[...] = operation.given(c)[what]
            operation(c, **{what: place.out}, out=place.out)
            assert_same_bits(place.out, want, f"{layout}, in the place of {what}")
            place.check(layout)


@pytest.mark.parametrize("name", [n for n, o in OPERATIONS.items() if o.in_place])
def test_out_that_overlaps(dtype, name):
    """Neighbouring rows of one buffer, both ways."""
    operation, c = OPERATIONS[name], row_cases.operands(3, 33, dtype)
    (want,) = row_cases.expected(name, 3, 33, dtype)
    for what, x in operation.given(c).items():
        for ahead in (0, 1):
            buffer = np.zeros((4, 33), dtype)
            source, out = buffer[ahead : ahead + 3], buffer[1 - ahead : 4 - ahead]
            source[...] = x
            operation(c, **{what: source}, out=out)
            assert_same_bits(out, want, f"{what}, {ahead}")


@pytest.mark.parametrize("function", [nn.softmax, nn.log_softmax])
@pytest.mark.parametrize("axis", [0, 1, -2, 2, -1])
def test_axes(dtype, function, axis):
    x = shapes.random_matrix(np.random.default_rng(5), (3, 17, 5), dtype)
    want = np.moveaxis(function(np.ascontiguousarray(np.moveaxis(x, axis, -1))), -1, axis)
    assert_same_bits(function(x, axis), want)
    backward = {nn.softmax: nn.softmax_backward, nn.log_softmax: nn.log_softmax_backward}[function]
    moved = [np.ascontiguousarray(np.moveaxis(v, axis, -1)) for v in (x, want)]
    back = np.moveaxis(backward(*moved), -1, axis)
    assert_same_bits(backward(x, want, axis), back)
    for out in (np.empty_like(x), np.empty(x.shape[::-1], dtype).T, shapes.strided(x), x.copy()):
        assert function(x, axis, out=out) is out
        assert_same_bits(out, want)
    place = x.copy()
    assert_same_bits(function(place, axis, out=place), want)
    place = x.copy()
    assert_same_bits(backward(place, want, axis, out=place), back)


@pytest.mark.parametrize("norm", [nn.layer_norm, nn.rms_norm])
def test_norms_over_several_axes(dtype, norm):
    x = shapes.random_matrix(np.random.default_rng(6), (2, 3, 4, 5), dtype)
    weight = x[0, 0] + dtype(1)
    want = norm(x.reshape(6, 20), weight.reshape(20)).reshape(x.shape)
    assert_same_bits(norm(x, weight, axis=-2), want)
    assert_same_bits(norm(x, weight, axis=2), want)
    backward = nn.layer_norm_backward if norm is nn.layer_norm else nn.rms_norm_backward
    got, flat = (
        backward(x, x, weight, axis=-2),
        backward(x.reshape(6, 20), x.reshape(6, 20), weight.reshape(20)),
    )
    assert_same_bits(got.x, flat.x.reshape(x.shape))
    assert_same_bits(got.weight, flat.weight.reshape(4, 5))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_reductions_of_losses(isa, dtype, threads, reduction):
    """The sum is that of a product with ones, in float64."""
    c = row_cases.operands(*MANY, dtype)
    losses = row_cases.expected("cross_entropy, smoothed", *MANY, dtype)[0].astype(np.float64)
    total = row_cases.rows.oracle.matmul(losses, np.ones_like(losses))
    if reduction == "mean":
        total = total / np.count_nonzero(c.target >= 0)
    got = nn.cross_entropy(
        c.x, c.target, label_smoothing=row_cases.SMOOTHING, reduction=reduction, num_threads=threads
    )
    assert_same_bits(got, np.asarray(dtype(total)))


def test_integers_are_float64():
    x = np.arange(12, dtype=np.int16).reshape(3, 4) - 5
    assert_same_bits(nn.softmax(x), nn.softmax(x.astype(np.float64)))
    assert_same_bits(nn.layer_norm(x > 0), nn.layer_norm((x > 0).astype(np.float64)))


def test_threads_in_force(dtype):
    c = row_cases.operands(*MANY, dtype)
    for threads in (1, 2, 3):
        fastla.set_num_threads(threads)
        assert_all_same(OPERATIONS["softmax"](c), row_cases.expected("softmax", *MANY, dtype), threads)


@pytest.mark.skipif(not PAGE.exists(), reason="needs docs/rows.md")
def test_the_page():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert failed == 0 and tried > 10
