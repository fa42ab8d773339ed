"""fastla.einsum and tensordot: NumPy's meaning, and the bits of fastla.matmul.

Values are small integers where they are compared with NumPy's, so that every order of summation is exact.
"""

import functools

import numpy as np
import pytest
from agreement import assert_same, integers, outcome

import fastla
from fastla import _subscripts

OPTIMIZE = (True, False, "optimal")
CODES = "?bhilqBHILQefdgFDG"
LENGTHS = {letter: n for n, letter in enumerate("abcdefghij", 2)} | {"x": 1, "y": 1, "z": 0}


def same(text, *operands, **options):
    """Compares with numpy.einsum's one loop over all labels; for every value of optimize."""
    def call(einsum, **more):
        return einsum(text, *operands, **more, **options)

    want = outcome(call, np.einsum)
    for optimize in OPTIMIZE:
        assert_same(outcome(functools.partial(call, optimize=optimize), fastla.einsum), want)
    return want


def operands(text, code="d"):
    terms = text.replace(" ", "").partition("->")[0].split(",")
    return [integers([LENGTHS[x] for x in term], code, 5 * i) for i, term in enumerate(terms)]


PATTERNS = [
    # vectors, matrices and stacks of them, with the result in every order
    "a,a", "a,a->a", "a,b", "a,b->ba", "ab,b", "ab,b->a", "a,ab->b", "ba,b->a", "ab,bc", "ab,bc->ca",
    "ba,bc->ac", "ba,cb->ac", "ab,ab", "ab,ab->a", "ab,ab->b", "ab,ab->ab", "ab,ba->ab", "ab,ba",
    "dab,dbc->dac", "adb,dbc->adc", "abd,bcd->acd", "dab,bc->dac", "dab,dbc->ac", "ab,dbc->dac",
    "eab,dbc->edac", "edab,debc->cdae",
    # several labels in one, adjacent or not, in another order on the other side
    "abcd,cdef->abef", "acbd,decf->abef", "abc,cba->", "abc,bca->a", "abc,dbe->acde", "abcd,cebf->aedf",
    # labels of one operand alone, diagonals
    "ab,c->", "ab,c->c", "ab,bc->", "ab,cd->ad", "abc,cd->d", "aa,a->a", "aa,ab->b", "aab,b->a",
    "aa,bb->", "aa,aa->a", "aba,bcb->", "aaa,ab->ab", "abb,cdd->ac", "aab,aac->bc",
    # scalars, lengths 1 and 0
    ",", ",a", "a,->a", ",ab->ba", "ax,xb->ab", "xa,ya->", "xy,yx->xy", "xx,x->x", "xa,xb->xab",
    "az,zb->ab", "z,z", "za,ab->zb", "az,ab->zb", "z,a->a", "az,a->z",
    # more than two
    "ab,bc,cd->ad", "ab,bc,cd", "a,ab,b->", "ab,ac,ad->bcd", "abc,ad,be,cf->def", "a,b,c->cab",
    "ab,ab,ab->a", "ab,bc,ca->", "aa,ab,bc,cc->c", "ab,ab,c->c", "a,a,a,a", "ea,fb,abcd,gc,hd->efgh",
    "ab,cd,ef,bcf->ade", " a b , b c -> c a ",
]


@pytest.mark.parametrize("text", PATTERNS)
def test_patterns(text):
    assert not isinstance(same(text, *operands(text)), Exception)
    strided = [np.repeat(x.T, 2, axis=-1)[..., ::-2].T if x.ndim else x for x in operands(text, "f")]
    same(text, *strided)


@pytest.mark.parametrize(("text", "shapes"), [
    ("...,...", [(3,), (2, 3)]), ("...a,...a", [(2, 4), (4,)]),
    ("...ab,...bc->...ac", [(3, 1, 2, 4), (5, 4, 3)]),
    ("a...b,b...->...a", [(2, 3, 4), (4, 1)]), ("...a,a->...", [(4,), (4,)]),
    ("a...,...->a...", [(2, 3), ()]),
    ("...,a->a...", [(2, 3), (4,)]), ("ab,b...->...", [(2, 3), (3, 1, 2)]),
    ("...ab,...b", [(2, 3, 4), (1, 4)]),
    ("...aa,...->a...", [(5, 3, 3), (4, 1)]), ("a...,a...,a->...", [(2, 3), (2, 4, 3), (2,)]),
    ("...,...", [(0, 3), (1, 3)]), ("...a,...a->...", [(0, 2), (5, 1, 2)]),
    # labels broadcast, too, and an axis that one operand has 1 long need not be of the result
    ("ab,ab->b", [(10, 2), (1, 2)]), ("a,a", [(2,), (1,)]), ("a,a->a", [(1,), (3,)]),
    ("ab,bc", [(2, 1), (3, 4)]),
    ("ab,bc,ac->ac", [(1, 3), (3, 1), (4, 5)]), ("aab,a->b", [(1, 1, 3), (4,)]), ("a,a", [(1,), (0,)]),
    ("ab,ab->", [(1, 1), (1, 3)]), ("ab,bc->ac", [(1, 3), (1, 1)]),
])
def test_broadcasting(text, shapes):
    assert not isinstance(same(text, *(integers(s, "d", 3 * i) for i, s in enumerate(shapes))), Exception)


def random_call(rng):
    """A text and operands of 1 to 4 terms; now and then they do not fit."""
    lengths = {x: int(rng.choice([0, 1, 2, 3, 4], p=[.04, .16, .3, .3, .2])) for x in "abcde"}
    under = [int(n) for n in rng.integers(1, 4, rng.integers(0, 3))]
    terms, arrays = [], []
    for _ in range(rng.integers(1, 5)):
        term = "".join(rng.choice(list(lengths), rng.integers(0, 4)))
        shape = [lengths[x] if rng.random() > .06 else 1 for x in term]
        if rng.random() < .3:
            at, count = rng.integers(0, len(term) + 1), rng.integers(0, len(under) + 1)
            more = [n if rng.random() > .2 else 1 for n in under[len(under) - count:]]
            term, shape = term[:at] + "..." + term[at:], shape[:at] + more + shape[at:]
        code = rng.choice(list(CODES + "O")) if rng.random() < .5 else "d"
        if not shape and np.__version__ < "2":  # which promotes 0-dimensional integers by their values
            code = "d"
        x = integers(shape, code, int(rng.integers(11)))
        if x.ndim and rng.random() < .3:
            x = np.asfortranarray(x)
        if x.ndim and rng.random() < .2:
            x = np.repeat(x, 2, axis=-1)[..., ::2]
        terms.append(term)
        arrays.append(x)
    text = ",".join(terms)
    if rng.random() < .7:
        known = sorted(set(text) - set(".,"))
        output = list(rng.permutation(known)[:rng.integers(0, len(known) + 1)]) if known else []
        if "..." in text and rng.random() < .95:
            output.insert(rng.integers(0, len(output) + 1), "...")
        text += "->" + "".join(output)
    return text, arrays


def unfit_diagonal(text, arrays):
    """A label twice in one operand with the lengths 0 and 1, where numpy.einsum reads out of bounds."""
    for term, x in zip(text.partition("->")[0].split(","), arrays, strict=True):
        head, _, tail = term.partition("...")
        placed = [*zip(head, x.shape, strict=False), *zip(tail, x.shape[x.ndim - len(tail):], strict=False)]
        if any({n for label, n in placed if label == mine} == {0, 1} for mine in term):
            return True
    return False


@pytest.mark.parametrize("seed", range(20))
def test_random_calls(seed):
    rng = np.random.default_rng(seed)
    good = 0
    for _ in range(60):
        text, arrays = random_call(rng)
        if not unfit_diagonal(text, arrays):
            good += not isinstance(same(text, *arrays), Exception)
    assert good > 30


@pytest.mark.parametrize("second", CODES)
@pytest.mark.parametrize("first", CODES)
def test_promotion(first, second):
    for text in ("ab,bc->ac", "a,ab->ba", "ab,c->c"):
        x, y = operands(text)
        same(text, x.astype(first), y.astype(second))


@pytest.mark.parametrize("code", CODES[1:11])
def test_integers_wrap(code):
    info = np.iinfo(code)
    rng = np.random.default_rng(3)
    x = rng.integers(info.min, info.max, (4, 5), code, endpoint=True)
    same("ab,ab->", x, x)
    same("ab,cb->ac", x, x)
    same("ab,cb,cd->ad", x, x, x)
    same("ab,ab->ab", x, x)


def test_narrow_integers_among_wide_ones_do_not_wrap():
    x = np.full((2, 3), 100, np.int8)
    got = fastla.einsum("ab,cb,c->ac", x, x, np.ones(2, np.int64))
    assert got.dtype == np.int64
    assert (got == 30000).all()


@pytest.mark.parametrize("casting", ["no", "equiv", "safe", "same_kind", "unsafe"])
@pytest.mark.parametrize("target", [None, "?", "b", "i", "e", "f", "d", "g", "D", "O", "M8[s]", "nonsense"])
@pytest.mark.parametrize("codes", ["ff", "fd", "bi", "ed", "FF"])
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_dtype_and_casting(codes, target, casting):
    x, y = integers((3, 4), codes[0]), integers((4, 2), codes[1])
    same("ab,bc", x, y, dtype=target, casting=casting)
    same("ab,bc->b", x, y, dtype=target, casting=casting)


@pytest.mark.parametrize("code", [*CODES, ">f8", ">i4", "O"])
@pytest.mark.parametrize("text", ["ab,bc->ac", "ab,bc->ca", "abx,bcx->ac", "a,b->ab", "abd,be,ec->acd"])
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_out(text, code):
    arrays = [abs(x) if code in "BHILQ" else x for x in operands(text, "h")]
    shape = np.einsum(text, *arrays).shape

    def call(einsum, casting, optimize, layout):
        out = np.full((*shape, 2), 7).astype(code)[..., 0]
        out = out.T.copy().T if layout == "F" else out
        try:
            assert einsum(text, *arrays, out=out, casting=casting, optimize=optimize) is out
        except TypeError:
            return out, "refused"
        return out

    for casting in ("safe", "same_kind", "unsafe"):
        for layout in ("strided", "F"):
            want = call(np.einsum, casting, False, layout)
            for optimize in OPTIMIZE:
                assert_same(call(fastla.einsum, casting, optimize, layout), want)


@pytest.mark.parametrize("shape", [(2, 4), (1, 2, 4), (2, 5), (2,), (), (4, 2), (0, 4)])
@pytest.mark.parametrize("rows", [1, 2])
def test_shape_of_out(rows, shape):
    """An axis of length 1 is broadcast; anything else is refused, and nothing written."""
    def call(einsum):
        out = np.full(shape, 7.0)
        try:
            assert einsum("ab,bc->ac", integers((rows, 3)), integers((3, 4)), out=out) is out
        except ValueError:
            return out, "refused"
        return out

    assert_same(call(fastla.einsum), call(np.einsum))


def test_casting_is_a_rule():
    same("ab,bc", *operands("ab,bc"), casting="bogus")
    same("ab,bc", *operands("ab,bc"), casting="same_value")


def test_byte_order():
    """Of a dtype that is asked for, results have the native one, as of all other products."""
    x, y = operands("ab,bc", ">f8")
    for dtype in (None, ">f8", "<f8"):
        got = fastla.einsum("ab,bc", x, y, dtype=dtype)
        assert_same(got, np.einsum("ab,bc", x.astype(float), y.astype(float)))


def test_text_is_no_number():
    """Where numpy.einsum ends in a SystemError."""
    x, y = operands("ab,bc", "h")
    with pytest.raises(TypeError, match="operands are int16, int16"):
        fastla.einsum("ab,bc", x, y, out=np.full((2, 4), "7", "U9"), casting="unsafe")


def test_out_is_an_array_that_can_be_written():
    x = np.eye(2)
    for out in ([[1.0, 2.0]], "out", (x,)):
        with pytest.raises(TypeError, match="out must be an array"):
            fastla.einsum("ab,bc", x, x, out=out)
    frozen = np.broadcast_to(0.0, (2, 2))
    with pytest.raises(ValueError, match="read-only"):
        fastla.einsum("ab,bc", x, x, out=frozen)


@pytest.mark.parametrize("text", ["ab,bc->ac", "ab,bc->ca", "ab,bc,cd->ad", "ab,ab->ab", "abx,bc->ac"])
def test_out_overlaps(text):
    for at in range(2):
        arrays = [integers((5, 5) + (1,) * ("x" in term), "d", i)
                  for i, term in enumerate(text.partition("->")[0].split(","))]
        want = np.einsum(text, *arrays)
        out = arrays[at].reshape(5, 5)[:, ::-1].T
        assert fastla.einsum(text, *arrays, out=out) is out
        assert_same(np.array(out), want)


@pytest.mark.parametrize("order", ["K", "C", "F", "A", "k", "c", "f", "a", None])
def test_order(order):
    x, y = integers((3, 4)), integers((4, 5))
    for left, right in ((x, y), (np.asfortranarray(x), np.asfortranarray(y)), (np.asfortranarray(x), y)):
        for text in ("ab,bc->ac", "ab,bc->ca"):
            want = np.einsum(text, left, right, order=order)
            got = fastla.einsum(text, left, right, order=order)
            assert_same(got, want)
            if order not in ("K", "k", None):
                assert got.flags.c_contiguous == want.flags.c_contiguous
    with pytest.raises(ValueError, match="order"):
        fastla.einsum("ab,bc", x, y, order="W")


def test_one_operand_gives_views():
    a = np.arange(27.0).reshape(3, 3, 3)
    for text in ("...", "abc->cab", "aab->ba", "aaa->a"):
        assert np.shares_memory(fastla.einsum(text, a), a)
        assert_same(fastla.einsum(text, a), np.einsum(text, a))
    assert_same(fastla.einsum(a, [0, 0, 1]), np.einsum(a, [0, 0, 1]))


def test_lists_of_subscripts():
    a, b, c = integers((2, 3)), integers((3, 4)), integers((4, 5), start=2)
    assert_same(fastla.einsum(a, [0, 1], b, [1, 2]), np.einsum(a, [0, 1], b, [1, 2]))
    assert_same(fastla.einsum(a, [51, 1], b, (1, 2), [2, 51]), np.einsum("ij,jk->ki", a, b))
    # Capitals come first, so 3 stands before 30.
    assert_same(fastla.einsum(a, [30, 1], b, [1, 3]), np.einsum("ij,jk->ki", a, b))
    assert_same(fastla.einsum(a, [..., 1], b, np.array([1, 2]), [2, ...]), np.einsum("ij,jk->ki", a, b))
    assert_same(fastla.einsum(a, [0, 1], b, [1, 2], c, [2, 3]), np.einsum("ij,jk,kl", a, b, c))


@pytest.mark.parametrize(("arguments", "error"), [
    ((), ValueError), (("",), ValueError), ((np.ones(2),), ValueError), ((0, 0), TypeError),
    ((np.ones(2), [0.5]), TypeError), ((np.ones(2), "0", np.ones(2), [0]), TypeError),
    ((np.ones(2), [52], np.ones(2), [0]), ValueError), ((np.ones(2), [-1], np.ones(2), [0]), ValueError),
    (("a,b", np.ones(2)), ValueError), (("a", np.ones(2), np.ones(2)), ValueError),
    (("ab,b", np.ones(2), np.ones(2)), ValueError), (("a,b", np.ones((2, 2)), np.ones(2)), ValueError),
    (("a..,b", np.ones(2), np.ones(2)), ValueError), (("a.,b", np.ones(2), np.ones(2)), ValueError),
    (("...a...,b", np.ones((2, 2)), np.ones(2)), ValueError),
    (("a,b->a..b", np.ones(2), np.ones(2)), ValueError),
    (("a,%", np.ones(2), np.ones(2)), ValueError), (("a,b->&", np.ones(2), np.ones(2)), ValueError),
    (("é,b", np.ones(2), np.ones(2)), ValueError), (("a,b->c", np.ones(2), np.ones(2)), ValueError),
    (("a,b->aa", np.ones(2), np.ones(2)), ValueError), (("a,b->a,b", np.ones(2), np.ones(2)), ValueError),
    (("a,b->->a", np.ones(2), np.ones(2)), ValueError), (("a,b>a", np.ones(2), np.ones(2)), ValueError),
    (("a,b-a", np.ones(2), np.ones(2)), ValueError), (("a,a", np.ones(2), np.ones(3)), ValueError),
    (("a,a", np.ones(2), np.ones(0)), ValueError), (("...a,a->a", np.ones((2, 3)), np.ones(3)), ValueError),
    (("...,...", np.ones(2), np.ones(3)), ValueError), (("aa,a", np.ones((1, 3)), np.ones(3)), ValueError),
    (("aa->a", np.ones((0, 1))), ValueError), (("aa,a", np.ones((0, 1)), np.ones(1)), ValueError),
    (("a,a", np.ones(2, "M8[s]"), np.ones(2)), TypeError),
    (("a,a", np.ones(2, "m8[s]"), np.ones(2, int)), TypeError),
])
def test_errors(arguments, error):
    for optimize in OPTIMIZE:
        with pytest.raises(error):
            fastla.einsum(*arguments, optimize=optimize)


def test_errors_quote_the_shapes():
    with pytest.raises(ValueError, match=r"'ab,bc': operand 1 is \(4, 5\); label 'b' is 4 long, and 3"):
        fastla.einsum("ab,bc", np.ones((2, 3)), np.ones((4, 5)))
    with pytest.raises(ValueError, match=r"operand 0 is \(2, 3\), not of 'a\.\.\.bc'"):
        fastla.einsum("a...bc,b", np.ones((2, 3)), np.ones(3))
    with pytest.raises(TypeError, match="no 'safe' casting from operand 0, float64, to float32"):
        fastla.einsum("a,a", np.ones(3), np.ones(3), dtype=np.float32)
    with pytest.raises(TypeError, match="from the result, float64, to out, int32"):
        fastla.einsum("a,a", np.ones(3), np.ones(3), out=np.array(0, np.int32))


def test_explicit_paths():
    a, b, c = integers((2, 3)), integers((3, 4)), integers((4, 5), start=2)
    want = np.einsum("ab,bc,cd->ad", a, b, c)
    for path in (["einsum_path", (0, 1), (0, 1)], ["einsum_path", (1, 2), (0, 1)], ["einsum_path", (0, 1, 2)],
                 ("einsum_path", [0, 2], [0, 1]), ["einsum_path", (1,), (0, 1), (0, 1)], ("greedy", 3),
                 np.einsum_path("ab,bc,cd->ad", a, b, c)[0], None):
        assert_same(fastla.einsum("ab,bc,cd->ad", a, b, c, optimize=path), want)
    for path, error in ((["einsum_path", (0, 1)], RuntimeError), ("fast", KeyError), ([], TypeError),
                        (3, TypeError), (["einsum_path", (0, 1), (0, 5)], IndexError),
                        (["einsum_path", (0, 1), (0,)], RuntimeError)):
        with pytest.raises(error):
            fastla.einsum("ab,bc,cd->ad", a, b, c, optimize=path)


def test_more_labels_than_letters():
    x, y = integers((1,) * 30 + (2,)), integers((3,) + (1,) * 30)
    z = integers((2, 3))
    got = fastla.einsum("...a,b...,ab->b...a", x, y, z)
    assert_same(got, np.einsum("...a,b...,ba->b...a", x, y, z.T.copy()))


def test_recipes_are_remembered():
    _subscripts.recipe.cache_clear()
    x = np.eye(3)
    for _ in range(3):
        fastla.einsum("ab,bc,cd", x, x, x)
    fastla.einsum("ab,bc,cd", x[:2], x, x)
    assert (_subscripts.recipe.cache_info().hits, _subscripts.recipe.cache_info().misses) == (2, 2)


class Units(np.ndarray):
    """An array that computes for itself."""

    def __array_function__(self, function, types, arguments, options):
        return function.__name__, len(arguments), options


def test_types_with_functions_of_their_own():
    x = np.eye(2).view(Units)
    assert fastla.einsum("ab,bc", np.eye(2), x) == ("einsum", 3, {"optimize": True})
    assert fastla.einsum("ab,bc", x, x, dtype="f4", optimize=False) == ("einsum", 3,
                                                                        {"optimize": False, "dtype": "f4"})
    assert fastla.tensordot(x, np.eye(2), 1) == ("tensordot", 3, {})


def test_memory_maps_are_arrays(rng):
    """Operands and results in files, whose type matmul leaves to NumPy, get the same bits."""
    x = rng.standard_normal((30, 600))
    held, out = x.view(np.memmap), np.empty((30, 30)).view(np.memmap)
    want = fastla.matmul(x, x.T)
    assert type(fastla.einsum("ij,kj", held, held)) is np.ndarray
    for call in (lambda: fastla.einsum("ij,kj->ik", held, held, out=out),
                 lambda: fastla.matvec(held, held, out=out),
                 lambda: fastla.multi_dot([held, held.T], out=out)):
        out[...] = 0
        assert call() is out
        assert np.asarray(out).tobytes() == want.tobytes()


# --- The bits ---------------------------------------------------------------------------------

FLOATS = [np.float16, np.float32, np.float64, np.complex64, np.complex128]


def assert_same_bits(got, want):
    got, want = np.ascontiguousarray(got), np.ascontiguousarray(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert got.tobytes() == want.tobytes()


def random(rng, shape, dtype=np.float64):
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("k", [1, 7, 600])
def test_bits_of_a_product(rng, dtype, k):
    x, y = random(rng, (9, k), dtype), random(rng, (k, 5), dtype)
    want = fastla.matmul(x, y)
    for optimize in OPTIMIZE:
        assert_same_bits(fastla.einsum("ij,jk->ik", x, y, optimize=optimize), want)
    assert_same_bits(fastla.einsum("ij,jk->ki", x, y).T, want)
    assert_same_bits(fastla.einsum("jk,ij->ik", y, x), want)
    assert_same_bits(fastla.einsum("ji,kj->ik", x.T, y.T, out=np.empty_like(want)), want)
    assert_same_bits(fastla.tensordot(x, y, 1), want)


def test_length_one_is_a_product_too():
    """A sum of one term, which makes +0 of -0, where a product of elements would keep it."""
    x = np.array([[-1e-200]])
    assert not np.signbit(fastla.einsum("ij,jk->ik", x, -x))
    assert np.signbit(fastla.einsum("ij,ij->ij", x, -x))


def test_contracted_labels_stand_as_in_the_left_operand(rng):
    x, y = random(rng, (3, 20, 4, 30)), random(rng, (30, 5, 20))
    left = x.transpose(0, 2, 1, 3).reshape(12, 600)
    right = y.transpose(2, 0, 1).reshape(600, 5)
    want = fastla.matmul(left, right).reshape(3, 4, 5)
    assert_same_bits(fastla.einsum("ajbk,kcj->abc", x, y), want)
    assert_same_bits(fastla.tensordot(x, y, ([1, 3], [2, 0])), want)
    assert_same_bits(fastla.tensordot(x, y, ([3, 1], [0, 2])), want)
    other = fastla.matmul(y.transpose(1, 0, 2).reshape(5, 600), x.transpose(3, 1, 0, 2).reshape(600, 12))
    assert_same_bits(fastla.einsum("kcj,ajbk->cab", y, x), other.reshape(5, 3, 4))
    assert (other.reshape(5, 3, 4).transpose(1, 2, 0) != want).any(), "the order of k shows"


def test_bits_of_stacks_sums_and_chains(rng):
    x, y, z = random(rng, (6, 4, 70)), random(rng, (6, 70, 5)), random(rng, (5, 9, 3))
    product = fastla.matmul(x, y)
    assert_same_bits(fastla.einsum("bij,bjk->bik", x, y), product)
    assert_same_bits(fastla.einsum("bij,bjk->ikb", x, y), product.transpose(1, 2, 0))
    assert_same_bits(fastla.einsum("bij,bij->bi", x, x), fastla.vecdot(x, x))
    summed = fastla.matmul(z.reshape(5, 27), np.ones(27))
    assert_same_bits(fastla.einsum("bij,bjk,kmn->bi", x, y, z, optimize=False),
                     fastla.matmul(product, summed))
    first = ["einsum_path", (1, 2), (0, 1)]
    inner = fastla.matmul(y.reshape(420, 5), summed).reshape(6, 70)
    assert_same_bits(fastla.einsum("bij,bjk,kmn->bi", x, y, z, optimize=first),
                     fastla.matmul(inner[:, None], x.transpose(0, 2, 1))[:, 0])
    assert_same_bits(fastla.einsum("ij,kl->ijkl", x[0], y[0]), np.multiply.outer(x[0], y[0]))


def test_sums_of_complex_numbers_are_sums_of_parts(rng):
    x, ones = random(rng, (700,), np.complex128), np.ones(700)
    want = complex(fastla.matmul(x.real, ones), fastla.matmul(x.imag, ones))
    assert_same_bits(fastla.einsum("a,b->b", x, np.ones(2)), np.full(2, want))
    x[3] = np.inf
    with np.errstate(invalid="ignore"):
        assert np.isinf(fastla.einsum("a,b->b", x, np.ones(2)).real).all()


def test_no_product_of_another_library(monkeypatch, rng):
    def refuse(*arguments, **options):
        raise AssertionError("a product of NumPy's was called")

    einsum = np.einsum
    for name in ("dot", "matmul", "tensordot", "inner", "vdot", "outer", "vecdot", "matvec", "vecmat"):
        monkeypatch.setattr(np, name, refuse, raising=False)
    monkeypatch.setattr(np, "einsum", lambda x, *rest, **options: (
        refuse() if isinstance(x, str) or len(rest) > 2 else einsum(x, *rest, **options)))
    for text in PATTERNS:
        for code in "fdehDq":
            fastla.einsum(text, *operands(text, code))
            fastla.einsum(text, *operands(text, code), optimize=False)
    fastla.tensordot(np.ones((2, 3)), np.ones((3, 2)), 1)


# --- tensordot --------------------------------------------------------------------------------

@pytest.mark.parametrize(("shapes", "axes"), [
    (((2, 3), (2, 3)), 2), (((2, 3), (3, 2)), 1), (((2, 3), (4,)), 0), (((), ()), 0), (((2,), ()), ([], [])),
    (((2, 3, 4), (4, 3)), ([1, 2], [1, 0])), (((2, 3, 4), (4, 3)), ((2, 1), (0, 1))),
    (((2, 3), (3, 2)), (1, 0)),
    (((2, 3), (2, 3)), (-1, -1)), (((2, 3), (3, 2)), (np.int64(1), np.array([0]))), (((3, 0), (0, 4)), 1),
    (((0, 3), (3, 4)), 1), (((2, 3, 4, 5), (5, 3, 2)), ([0, 3], [2, 0])), (((1, 2), (2, 1)), 1),
    (((2, 3), (3, 2)), -1),
    # errors
    (((2, 3), (2, 3)), 1), (((2, 3), (1, 2)), (1, 0)), (((2, 3), (3, 2)), 3), (((2, 3), (3, 2)), (5, 0)),
    (((2, 2), (2, 2)), ((0, 0), (0, 1))), (((2, 2), (2, 2)), ((0, -2), (0, 1))), (((2, 2), (2, 2)), (0,)),
    (((2, 2), (2, 2)), ((0, 1), (0,))), (((2, 2), (2, 2)), 1.5), (((2, 2), (2, 2)), ([0.0], [1])),
    (((2, 2), (2, 2)), "ab"),
])
@pytest.mark.parametrize("code", "diD?O")
def test_tensordot(shapes, axes, code):
    x, y = (integers(s, code, 3 * i) for i, s in enumerate(shapes))
    assert_same(*(outcome(lambda f: f(x, y, axes=axes), f) for f in (fastla.tensordot, np.tensordot)))


@pytest.mark.parametrize("second", CODES)
@pytest.mark.parametrize("first", CODES)
def test_promotion_of_tensordot(first, second):
    x, y = integers((2, 3, 4), first), integers((4, 3, 2), second)
    assert_same(*(f(x, y, axes=([1, 2], [1, 0])) for f in (fastla.tensordot, np.tensordot)))


def test_errors_of_tensordot_quote_the_shapes():
    with pytest.raises(ValueError, match=r"a is \(2, 3\), b is \(4, 5\); axes \(-1,\) and \(0,\) differ"):
        fastla.tensordot(np.ones((2, 3)), np.ones((4, 5)), 1)
    with pytest.raises(IndexError, match=r"no axis 2 of \(2, 3\)"):
        fastla.tensordot(np.ones((2, 3)), np.ones((4, 5)), (2, 0))
