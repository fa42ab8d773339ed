"""NumPy's products by fastla: the same functions, fastla's bits, and all the way back."""

import threading

import numpy as np
import pytest
from process import run_python

import fastla

CODES = "efdFD?bBhHiIlLqQ"
needs_fma = pytest.mark.skipif(not any(r.usable for r in fastla.kernels() if r.isa != "generic"),
                               reason="needs hardware with fused multiply-adds")
pytestmark = [needs_fma, pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]  # numpy.matrix


def draw(rng, shape, code):
    dtype = np.dtype(code)
    if code == "?":
        return rng.random(shape) < 0.1
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)


def same(x, y):
    return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()


@pytest.mark.parametrize("code", CODES)
def test_matmul_has_fastlas_bits(code, rng):
    for left, right in [((20, 700), (700, 30)), ((700,), (700, 30)), ((20, 700), (700,)), ((700,), (700,)),
                        ((3, 1, 4, 50), (2, 50, 6)), ((0, 5), (5, 3)), ((3, 0), (0, 4)), ((1, 1), (1, 1))]:
        a, b = draw(rng, left, code), draw(rng, right, code)
        want = np.asarray(fastla.matmul(a, b))
        with fastla.patched(), np.errstate(all="ignore"):
            assert same(np.asarray(np.matmul(a, b)), want)
            assert same(np.asarray(a @ b), want)
            assert same(np.asarray(np.matmul(a[..., ::-1], b[::-1] if b.ndim == 1 else b[..., ::-1, :])),
                        np.asarray(fastla.matmul(a[..., ::-1], b[::-1] if b.ndim == 1 else b[..., ::-1, :])))


def test_one_product_of_float16_is_numpys_and_has_the_same_bits(rng):
    special = [0, -0.0, 1, -2.5, 65504, 2**-14, 2**-24, -(2**-24), np.inf, -np.inf, np.nan]
    x = np.array([*special, *rng.standard_normal(30)], np.float16)
    with np.errstate(all="ignore"):
        for a in x:
            for b in x:
                left, right = a.reshape(1, 1), b.reshape(1, 1)
                with fastla.patched():
                    got = np.matmul(left, right)
                want = fastla.matmul(left, right)
                assert same(got, want) or (np.isnan(got) and np.isnan(want)), (a, b)


@pytest.mark.parametrize("code", "fdFD")
def test_the_way_back(code, rng):
    a, b = draw(rng, (40, 3000), code), draw(rng, (3000, 40), code)
    before, ours = np.matmul(a, b), fastla.matmul(a, b)
    assert not same(before, ours)  # or the test shows nothing
    for operator in (False, True):
        fastla.patch_numpy(operator=operator)
        fastla.patch_numpy(operator=operator)
        assert same(a @ b, ours)
        fastla.unpatch_numpy()
        assert same(a @ b, ours)
        with fastla.patched():
            fastla.unpatch_numpy()
            assert same(np.matmul(a, b), ours)
        assert same(np.matmul(a, b), before)
        assert same(a @ b, before)
        assert not fastla.is_patched()
        fastla.unpatch_numpy()
        assert not fastla.is_patched()
    with pytest.raises(KeyError), fastla.patched(operator=True):
        raise KeyError
    assert same(a @ b, before)


@pytest.mark.parametrize("name", ["matvec", "vecmat", "vecdot"])
def test_the_other_functions(name, rng):
    function = getattr(np, name, None)
    if function is None:
        pytest.skip(f"numpy.{name} came later than NumPy {np.__version__}")
    shapes = {"matvec": ((5, 1, 7, 300), (4, 300)), "vecmat": ((5, 1, 300), (4, 300, 7)),
              "vecdot": ((5, 1, 300), (4, 300))}[name]
    for code in CODES:
        a, b = draw(rng, shapes[0], code), draw(rng, shapes[1], code)
        before = function(a, b)
        with fastla.patched():
            got = function(a, b)
        assert same(function(a, b), before)
        assert got.shape == before.shape and got.dtype == before.dtype
        if np.dtype(code).kind in "biu":
            assert np.array_equal(got, before)
        else:
            x, y = a[2, 0], b[3]
            if name != "matvec":
                x = x.conj()
            assert same(np.asarray(got[2, 3]), np.asarray(fastla.matmul(x, y)))


def test_out_casting_and_warnings_stay_numpys(rng):
    a, b = draw(rng, (9, 70), "f"), draw(rng, (70, 8), "f")
    with fastla.patched(operator=True):
        out = np.zeros((8, 9), np.float64).T
        assert np.matmul(a, b, out=out) is out
        assert np.array_equal(out, fastla.matmul(a, b))
        assert np.matmul(a, b, dtype=np.float64).dtype == np.float64
        assert np.matmul(a, b.astype(">f4")).dtype == np.float32
        x = a[:, :9].copy()
        want = fastla.matmul(x, x)
        np.matmul(x, x, out=x)
        assert same(x, want)
        with pytest.raises(ValueError, match=r"mismatch|must equal"):
            a @ a
        with pytest.raises(ValueError, match="dimensions"):
            a @ 3
        with np.errstate(over="raise"), pytest.raises(FloatingPointError):
            np.full((2, 2), 1e30, np.float32) @ np.full((2, 2), 1e30, np.float32)
        assert type(np.matrix(a) @ np.matrix(b)) is np.matrix
        assert (np.array([[True]]) @ np.array([[True]])).dtype == bool
        assert (a.astype(object) @ b.astype(object)).dtype == object
        power = np.linalg.matrix_power(np.array([[1, 1], [1, 0]], np.int64), 90)
    assert power[0, 1] == 2880067194370816120


def test_status(rng):
    a, tiny = draw(rng, (9, 9), "h"), draw(rng, (3, 3), "h")
    before = fastla.patch_status()["dtypes"]
    assert not any(entry["patched"] for entry in before.values())
    with fastla.patched():
        status = fastla.patch_status()
        assert status["loops"] and not status["operator"]
        for _ in range(5):
            assert same(a @ a, fastla.matmul(a, a))
        assert same(tiny @ tiny, fastla.matmul(tiny, tiny))
        assert set(np.dtype(c).name for c in CODES) == {*status["dtypes"]} - {"bfloat16"}
        assert all(entry["patched"] for entry in status["dtypes"].values())
        after = fastla.patch_status()["dtypes"]
    assert after["int16"]["calls"] == before["int16"]["calls"] + 6
    assert after["int16"]["delegated"] == before["int16"]["delegated"] + 1
    assert after["int32"] == status["dtypes"]["int32"]


def test_threads(rng):
    a, b = draw(rng, (64, 64), "d"), draw(rng, (64, 64), "d")
    want, wrong = fastla.matmul(a, b), []

    def work():
        for _ in range(200):
            if not same(a @ b, want):
                wrong.append(1)

    with fastla.patched(operator=True):
        some = [threading.Thread(target=work) for _ in range(4)]
        for t in some:
            t.start()
        for t in some:
            t.join()
    assert not wrong


def test_generic_kernels_are_refused():
    with fastla.use_isa("generic"):
        with pytest.raises(RuntimeError, match="generic"):
            fastla.patch_numpy()
        with pytest.raises(RuntimeError, match="generic"), fastla.patched():
            pass
    assert not fastla.is_patched()


CHAIN = """
    import ctypes
    import numpy as np
    import fastla

    # NumPy's C API, as another library would use it to replace the int16 and float64 loops of matmul.
    capsule = np._core._multiarray_umath._UFUNC_API
    ctypes.pythonapi.PyCapsule_GetPointer.restype = ctypes.c_void_p
    ctypes.pythonapi.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(ctypes.pythonapi.PyCapsule_GetPointer(capsule, None), ctypes.POINTER(ctypes.c_void_p))
    LOOP = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)
    replace = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int),
                                ctypes.POINTER(ctypes.c_void_p))(table[30])
    state = {"calls": 0}

    def set_loop(number, loop):
        found = ctypes.c_void_p()
        assert replace(np.matmul, loop, (ctypes.c_int * 3)(number, number, number), ctypes.byref(found)) == 0
        return found.value

    def between(args, dims, steps, data):
        state["calls"] += 1
        state["below"](args, dims, steps, data)

    theirs = LOOP(between)
    address = ctypes.cast(theirs, ctypes.c_void_p).value
    number = np.dtype(np.int16).num
    small, large = np.array([[3]], np.int16), np.full((20, 20), 3, np.int16)

    def check(expected):
        before = state["calls"]
        assert (small @ small)[0, 0] == 9 and ((large @ large) == 180).all()
        assert state["calls"] - before == expected, (state, before)

    fastla.patch_numpy()
    state["below"] = LOOP(set_loop(number, address))
    check(2)
    fastla.unpatch_numpy()  # theirs stays, and goes on to ours, which goes on to NumPy's
    check(2)
    fastla.patch_numpy()
    check(0)  # ours again, above theirs
    fastla.unpatch_numpy()
    check(2)
    with fastla.patched():
        pass
    check(2)
    print("ok")
"""


def test_who_replaced_a_loop_after_us():
    assert run_python(CHAIN) == "ok"


NUMPYS = """
    import sys, pytest, fastla
    fastla.patch_numpy(loops=True, operator=True)
    code = pytest.main(["--pyargs", "-q", "-p", "no:cacheprovider", "-W", "ignore", *{args!r}])
    status = fastla.patch_status()["dtypes"]
    assert sum(entry["calls"] for entry in status.values()) > 100
    print("ended", int(code))
"""


@pytest.mark.parametrize("args", [
    ["numpy._core.tests.test_multiarray", "-k", "Matmul or matmul or TestDot or Inner"],
    ["numpy._core.tests.test_ufunc", "-k", "vecdot or matvec or vecmat or matmul or gufunc or Ufunc"],
    ["numpy.linalg.tests.test_linalg"],
], ids=lambda a: a[0])
def test_numpys_own_tests(args):
    said = run_python(NUMPYS.format(args=args), timeout=600)
    assert said.splitlines()[-1] == "ended 0", said[-2000:]
