"""verify=True: wrong entries are found, correct products pass, and what is in between is computed again."""

import pickle

import ml_dtypes
import numpy as np
import oracle
import pytest
import shapes

import fastla
from fastla import _core, _verify

FLOATS = ("float16", "float32", "float64", "complex64", "complex128")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
WIDENING = (("int8", "int8"), ("uint8", "uint8"), ("int8", "uint8"), ("uint8", "int8"), ("int16", "int16"))


def draw(rng, shape, dtype, kind="normal"):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    one = rng.random if kind == "positive" else rng.standard_normal
    x = one(shape) + 1j * one(shape) if dtype.kind == "c" else one(shape)
    if kind == "scaled":
        x = x * 2.0 ** rng.integers(-5, 5, (*shape[:-1], 1))
    return x.astype(dtype)


def rows_of(a, b, c, seed=0, threads=1):
    return _core.check_rows(a, b, np.asarray(c), seed, threads)


def suspects(a, b, c, seed=0):
    difference, bound = rows_of(a, b, c, seed)
    return int(np.count_nonzero(~(difference <= bound)))


def tampered(c, at, delta, part="real"):
    """c with one entry changed by delta at least, or a little more where rounding asks for it."""
    c = c.copy()
    view = getattr(c, part) if c.dtype.kind == "c" else c
    old, wide = view[at], np.longdouble(view[at])
    new = view.dtype.type(wide + np.longdouble(delta))
    while abs(np.longdouble(new) - wide) < abs(delta):
        new = np.nextafter(new, view.dtype.type(np.copysign(np.inf, delta)))
    assert new != old
    view[at] = new
    return c


@pytest.mark.parametrize("name", FLOATS)
def test_twice_the_bound_is_always_found(name, rng):
    for t in range(200):
        m, n, k = rng.integers(1, 50), rng.integers(1, 50), rng.choice([1, 2, 7, 60, 511, 513, 1100])
        kind = ("normal", "positive", "scaled")[t % 3]
        a, b = draw(rng, (m, k), name, kind), draw(rng, (k, n), name, kind)
        c = fastla.matmul(a, b)
        at = int(rng.integers(m)), int(rng.integers(n))
        bound = rows_of(a, b, c)[1][at[0]]
        assert 0 < bound < np.inf
        wrong = tampered(c, at, 2 * bound * rng.choice([-1, 1]), rng.choice(["real", "imag"]))
        with pytest.raises(fastla.VerificationError) as error:
            _verify.check(a, b, wrong)
        assert (error.value.row, error.value.column) == at
        assert error.value.found == wrong[at] and error.value.expected == c[at]


@pytest.mark.parametrize("operands", [(x, x, x) for x in INTEGERS] + [(*x, "int32") for x in WIDENING],
                         ids=str)
def test_any_change_of_an_integer_is_found(operands, rng):
    dtype = np.dtype(operands[2])
    for _ in range(60):
        m, n, k = rng.integers(1, 50), rng.integers(1, 50), rng.integers(0, 80)
        a, b = draw(rng, (m, k), operands[0]), draw(rng, (k, n), operands[1])
        c = fastla.matmul(a, b, dtype=dtype, verify=True)
        at = int(rng.integers(m)), int(rng.integers(n))
        wrong = c.copy()
        wrong[at] ^= dtype.type(1) << dtype.type(rng.integers(dtype.itemsize * 8 - 1))
        with pytest.raises(fastla.VerificationError) as error:
            _verify.check(a, b, wrong)
        assert (error.value.row, error.value.column) == at
        assert error.value.found == wrong[at] and error.value.expected == c[at]


@pytest.mark.parametrize("name", ["int8", "uint64"])
def test_the_highest_bits_of_two_integers_of_a_row(name, rng):
    """Odd weights alone would never see it: both changes are half the modulus."""
    a, b = draw(rng, (20, 5), name), draw(rng, (5, 30), name)
    wrong = fastla.matmul(a, b)
    dtype = wrong.dtype
    top = np.array(1 << (dtype.itemsize * 8 - 1), f"u{dtype.itemsize}").astype(dtype)
    wrong[3, [4, 9]] ^= top
    found = 0
    for _ in range(40):
        try:
            _verify.check(a, b, wrong)
        except fastla.VerificationError as error:
            found += 1
            assert (error.row, error.column) == (3, 4)
    assert found > 5  # each time with probability 1/2


@pytest.mark.parametrize("name", FLOATS + INTEGERS)
def test_correct_products_pass(name, rng):
    rows = again = 0
    for t in range(150):
        m, n = rng.integers(0, 40, 2)
        k = rng.choice([0, 1, 2, 3, 17, 200, 512, 700])
        kind = ("normal", "positive", "scaled")[t % 3]
        a, b = draw(rng, (m, k), name, kind), draw(rng, (k, n), name, kind)
        c = fastla.matmul(a, b, verify=True)
        assert c.tobytes() == fastla.matmul(a, b).tobytes()
        rows += m
        again += suspects(a, b, c, t)
    assert again == 0 if np.dtype(name).kind in "iu" else again <= rows / 500


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("kind", ["normal", "positive"])
def test_the_bound_is_near_the_rounding_errors(name, kind, rng):
    """From 2 to 100 times the typical difference."""
    for k in (1, 8, 64, 512, 2048):
        a, b = draw(rng, (60, k), name, kind), draw(rng, (k, 50), name, kind)
        c = fastla.matmul(a, b)
        ratio = np.concatenate([np.divide(*rows_of(a, b, c, seed)) for seed in range(5)])
        assert 0.01 < np.sqrt(np.mean(ratio**2)) < 0.5, k


def test_same_statistic_in_every_layout_and_for_any_threads(rng):
    for name in (*FLOATS, "int16", "int64"):
        a, b = draw(rng, (70, 90), name), draw(rng, (90, 80), name)
        c = fastla.matmul(a, b)
        bound = rows_of(a, b, c)[1]
        fill = np.nan if np.dtype(name).kind != "i" else 0
        for x, y in zip(layouts(a, fill), layouts(b, fill), strict=True):
            _verify.check(x, y, c)
            other, near = rows_of(x, y, c, threads=2)
            assert np.allclose(near, bound, rtol=1e-3)
            assert (other <= near).all()
        for z in layouts(c, fill):
            if z.dtype.isnative and z.flags.aligned:
                _verify.check(a, b, z)
    a, b = draw(rng, (700, 600), "float32"), draw(rng, (600, 650), "float32")
    c = fastla.matmul(a, b)
    for x, y in ((a, b), (np.asfortranarray(a), np.asfortranarray(b))):
        want = rows_of(x, y, c)
        for threads in (2, 3, 8):
            for got, wanted in zip(rows_of(x, y, c, threads=threads), want, strict=True):
                assert np.array_equal(got, wanted)


def layouts(x, fill):
    if x.dtype.kind == "f":
        return [y for _, y in shapes.layouts(x)]
    wide = np.full((3 * x.shape[0], 2 * x.shape[1]), fill, x.dtype)
    wide[::3, ::2] = x
    return [x, np.asfortranarray(x), wide[::3, ::2], x[::-1, ::-1].copy()[::-1, ::-1],
            x.astype(x.dtype.newbyteorder()), shapes.unaligned(x),
            np.asfortranarray(x.astype(x.dtype.newbyteorder()))]


def test_structured_operands(rng):
    n = 130
    i = np.arange(n)
    for name in ("float32", "float64", "float16", "complex64"):
        hilbert = (1 / (1 + i[:, None] + i)).astype(name)
        for a, b in [(np.full((n, 600), 1 / 3, name), np.full((600, n), 1 / 7, name)), (hilbert, hilbert),
                     (np.eye(n, dtype=name), hilbert), (np.zeros((n, n), name), hilbert),
                     (np.tri(n, dtype=name), np.tri(n, dtype=name).T), (np.diag(hilbert[0]), hilbert)]:
            c = fastla.matmul(a, b, verify=True)
            wrong = tampered(c, (7, 11), max(abs(c.real).max() / 8, 1e-3))
            with pytest.raises(fastla.VerificationError) as error:
                for _ in range(60):  # for a suspect row the chance is 1/2 at least
                    _verify.check(a, b, wrong)
            assert (error.value.row, error.value.column) == (7, 11)


@pytest.mark.parametrize("name, scales", [
    ("float32", [1e-42, 1e-30, 1e-22, 1e-15, 1e15, 1e18]), ("complex64", [1e-42, 1e-25, 1e15]),
    ("float64", [1e-320, 1e-200, 1e-150, 1e120, 1e150]), ("float16", [1e-7, 1e-4, 30])])
def test_scales_at_the_ends_of_the_range(name, scales, rng):
    for scale in scales:
        for k in (3, 70, 600):
            a = (draw(rng, (30, k), name) * scale).astype(name)
            b = (draw(rng, (k, 40), name) * scale).astype(name)
            with np.errstate(over="ignore", under="ignore"):
                c = fastla.matmul(a, b, verify=True)
            if np.isfinite(c).all():
                assert suspects(a, b, c) == 0, (scale, k)


def test_huge_squares_raise_no_flags():
    a = np.full((30, 30), 1e25, np.float32)
    b = np.full((30, 30), 1e-25, np.float32)
    with np.errstate(all="raise"):
        c = fastla.matmul(a, b, verify=True)
    assert suspects(a, b, c) == 0


@pytest.mark.parametrize("name", FLOATS)
def test_infinities_and_nan(name, rng):
    a, b = draw(rng, (20, 30), name), draw(rng, (30, 25), name)
    a[3, 4], a[9, 9], b[5, 6] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        c = fastla.matmul(a, b, verify=True)
    for at, value in [((3, 0), 1), ((9, 2), np.nan), ((9, 2), -c[9, 2]), ((0, 6), 7), ((4, 4), np.nan),
                      ((4, 4), np.inf), ((10, 3), -np.inf)]:
        wrong = c.copy()
        wrong[at] = value
        with pytest.raises(fastla.VerificationError) as error:
            _verify.check(a, b, wrong)
        assert (error.value.row, error.value.column) == at


def test_overflow_to_infinity():
    for name, big in (("float32", 3e38), ("float64", 1e308), ("float16", 6e4)):
        a = np.full((4, 5), big, name)
        with np.errstate(over="ignore"):
            c = fastla.matmul(a, a.T, verify=True)
        assert np.isinf(c).all()
        c[2, 1] = np.finfo(name).max
        with pytest.raises(fastla.VerificationError):
            _verify.check(a, a.T, c)


SHAPES = [((5,), (5,)), ((5,), (5, 4)), ((3, 5), (5,)), ((2, 3, 5), (5, 4)), ((2, 3, 5), (2, 5, 4)),
          ((5,), (6, 5, 4)), ((2, 1, 3, 5), (4, 5, 2)), ((6, 3, 5), (5,)), ((0, 5), (5, 3)), ((3, 0), (0, 4)),
          ((0, 3, 5), (5, 4)), ((3, 5), (5, 0)), ((4, 1, 7), (4, 7, 1))]


@pytest.mark.parametrize("name", ["float32", "complex128", "float16", "int16"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_stacks_and_vectors(shape, name, rng):
    a, b = draw(rng, shape[0], name), draw(rng, shape[1], name)
    c = np.asarray(fastla.matmul(a, b, verify=True))
    assert np.array_equal(c, fastla.matmul(a, b))
    m = 1 if a.ndim == 1 else a.shape[-2]
    for at in np.ndindex(*c.shape):
        wrong = c.copy()
        wrong[at] += 3
        with pytest.raises(fastla.VerificationError) as error:
            _verify.check(a, b, wrong)
        e = error.value
        entry = ([] if a.ndim == 1 else [e.row]) + ([] if b.ndim == 1 else [e.column])
        assert (*e.index, *entry) == at
        assert e.row < m and e.found == wrong[at] and e.expected == c[at]


def test_out_of_more_axes_and_casts(rng):
    a, b = draw(rng, (3, 5), "float32"), draw(rng, (5, 4), "float32")
    out = np.empty((2, 3, 4), np.float32)
    assert fastla.matmul(a, b, out, verify=True) is out
    assert np.array_equal(out[1], fastla.matmul(a, b))
    fastla.matmul(a, b, np.empty((3, 4)), verify=True)
    fastla.matmul(a, b.astype(np.float64), verify=True)
    fastla.matmul(a[:, :3], a[:, :3], out=a[:, :3], verify=True)  # overlaps: checked before it is copied
    fastla.matmul([[1, 2]], [[3], [4]], verify=True)


def test_the_error():
    a, b = np.ones((40, 30), np.float32), np.ones((30, 50), np.float32)
    c = fastla.matmul(a, b, verify=True)
    c[17, 40] = 31
    with pytest.raises(fastla.VerificationError) as error:
        _verify.check(a, b, c)
    e, row = error.value, next(r for r in fastla.kernels() if r.chosen and r.dtype == "float32")
    assert isinstance(e, ArithmeticError)
    assert "a is (40, 30) float32, b is (30, 50) float32; entry [17, 40] of the product is 31.0, " in str(e)
    assert "it must be 30.0; its tile is " in str(e)
    assert e.index == () and (e.found, e.expected) == (31, 30)
    i, j = e.tile
    assert i.start <= 17 < i.stop <= i.start + row.mr and j.start <= 40 < j.stop <= j.start + row.nr
    assert f"rows {i.start}:{i.stop}, columns {j.start}:{j.stop} ({row.isa})" in str(e)
    assert 31 in c[e.tile]
    again = pickle.loads(pickle.dumps(e))
    assert str(again) == str(e) and again.tile == e.tile and again.row == 17


def test_matmul_hands_out_nothing_wrong(monkeypatch, rng):
    calls = []

    def fail(a, b, c, threads):
        calls.append(threads)
        raise fastla.VerificationError("wrong")

    monkeypatch.setattr(_verify, "check", fail)
    a = draw(rng, (3, 3), "float64")
    out = np.full((3, 3), 7, np.float32)
    fastla.matmul(a, a)
    fastla.matmul(a, a, verify=False)
    assert not calls
    for given in (None, np.empty((3, 3))):
        with pytest.raises(fastla.VerificationError):
            fastla.matmul(a, a, given, num_threads=2, verify=True)
    with pytest.raises(fastla.VerificationError):
        fastla.matmul(a, a, out, verify=True)  # computed elsewhere and copied
    assert (out == 7).all() and calls == [2, 2, 0]


def test_integers_that_may_not_overflow(rng, monkeypatch):
    a = draw(rng, (9, 20), "int32")
    for overflow in ("wrap", "widen"):
        assert np.array_equal(fastla.matmul(a, a.T, overflow=overflow, verify=True),
                              fastla.matmul(a, a.T, overflow=overflow))
    small = a % 100
    got = fastla.matmul(small, small.T, overflow="raise", verify=True)
    assert np.array_equal(got, fastla.matmul(small, small.T))
    checked = []
    monkeypatch.setattr(_verify, "check", lambda *args: checked.append(args[2].dtype))
    for x in (a, small, draw(rng, (3, 4), "uint64")):
        checked.clear()
        fastla.matmul(x, x.T, overflow="widen", verify=True)
        assert checked


def test_what_cannot_be_verified():
    a = np.ones((3, 3))
    with pytest.raises(TypeError, match="verify= is for numbers"):
        fastla.matmul(a.astype(bool), a.astype(bool), verify=True)
    with pytest.raises(ValueError, match="precision='fast'"):
        fastla.matmul(a, a, verify=True, precision="fast")
    for x in (a.astype(np.longdouble), a.astype(object), np.ma.array(a)):
        with pytest.raises(TypeError, match="verify=True takes exact arrays of dtypes that"):
            fastla.matmul(x, x, verify=True)
        fastla.matmul(x, x, verify=False)
    with pytest.raises(TypeError, match=r"verify=True .*no ufunc keywords"):
        fastla.matmul(a, a, verify=True, order="F")
    with pytest.raises(TypeError, match="verify=True takes no PackedMatrix"):
        fastla.matmul(a, fastla.pack(a), verify=True)
    with pytest.raises(ValueError, match="another shape"):
        _verify.check(a, a, np.ones((3, 4)))
    with pytest.raises(TypeError):
        _verify.check(a, a, np.ones((3, 3), bool))


@pytest.mark.parametrize("name", FLOATS)
def test_the_plain_loops_keep_the_contract(name, rng):
    """Against the oracle in Python, which shares nothing with them either."""
    for m, n, k in [(1, 1, 0), (3, 70, 5), (4, 5, 512), (3, 4, 513), (2, 65, 1030)]:
        a, b = (shapes.random_matrix(rng, s, "float32").astype(name) for s in ((m, k), (k, n)))
        if np.dtype(name).kind == "c":
            a, b = a * (1 + 0.3j), b + 1j * shapes.random_matrix(rng, (k, n), "float32")
            a, b = a.astype(name), b.astype(name)
            want = oracle.complex2(a, b)
        elif name == "float16":
            with np.errstate(over="ignore"):
                want = oracle.matmul2(a.astype(np.float32), b.astype(np.float32)).astype(np.float16)
        else:
            want = oracle.matmul2(a, b)
        got = _core.reference_matmul(a, b, name, 2)
        assert got.dtype == want.dtype
        assert _verify._same(got, want).all()
        other = _core.reference_matmul(np.asfortranarray(a), b.astype(b.dtype.newbyteorder()), name, 1)
        assert _verify._same(other, want).all()


def test_every_float16_is_read_and_rounded():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)[:, None]
    few, factors = halves[::37], halves[::1073].T.copy()
    with np.errstate(all="ignore"):
        for a, b in [(halves, np.ones((1, 1), np.float16)), (few, factors)]:
            want = (np.float32(0) + a.astype(np.float32) * b.astype(np.float32)).astype(np.float16)
            assert _verify._same(_core.reference_matmul(a, b, np.float16, 1), want).all()
            _verify.check(a, b, want)


@pytest.mark.parametrize("name", INTEGERS)
def test_the_plain_loops_of_integers(name, rng):
    a, b = draw(rng, (5, 600), name), draw(rng, (600, 70), name)
    assert np.array_equal(_core.reference_matmul(a, b, name, 1), np.matmul(a, b))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_bfloat16(dtype, rng):
    """No alarm, subnormal numbers or not; a change of twice the bound is found in its place."""
    bf16 = np.dtype(ml_dtypes.bfloat16)
    out = np.dtype(dtype)
    for m, n, k in [(1, 1, 1), (3, 40, 700), (40, 3, 5), (33, 65, 1100)]:
        for scale in (1.0, 2.0**-66):
            a, b = ((rng.standard_normal(s) * scale).astype(bf16) for s in ((m, k), (k, n)))
            c = fastla.matmul(a, b, verify=True, dtype=None if dtype == "float32" else bf16)
            assert c.dtype == out
            if scale < 1:
                continue
            difference, bound = _core.check_rows(a, b, c, 1, 1)
            assert (difference <= bound).all()
            for _ in range(20):
                i, j = int(rng.integers(m)), int(rng.integers(n))
                wrong = c.copy()
                rounding = 2.0**-8 * abs(float(c[i, j])) if out == bf16 else 0
                wrong[i, j] = np.float32(c[i, j]) + np.float32(2.1 * bound[i] + rounding)
                with pytest.raises(fastla.VerificationError) as error:
                    _verify.check(a, b, wrong)
                assert (error.value.row, error.value.column) == (i, j)
