"""How finished sums come from registers to memory: by a warp's slice, in vectors or one by one."""

import itertools

import numpy as np
import pytest

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import emulator  # noqa: E402
from numba import cuda  # noqa: E402
from numba.cuda import float32, int32, int64  # noqa: E402
from operands import epilogue, operand  # noqa: E402
from shapes import assert_same_bits, random_matrix  # noqa: E402
from test_epilogue import ACTIVATIONS, steps_for, subsets  # noqa: E402
from test_epilogues import BFLOAT16, exact, operands, same  # noqa: E402
from test_functions import arguments as numbers_for  # noqa: E402
from test_tensor_cores import product as product_of_halves  # noqa: E402

from fastla.cuda import gemm, halves, numbers  # noqa: E402
from fastla.cuda.epilogue import (  # noqa: E402
    VECTORS,
    Epilogue,
    Operand,
    finisher,
    slice_pitch,
)
from fastla.cuda.numbers import load  # noqa: E402
from fastla.cuda.ptx import shared_address  # noqa: E402
from fastla.cuda.shared import store_one  # noqa: E402
from fastla.cuda.sums import put_fragments, sync_warp  # noqa: E402


def aligned(shape, dtype):
    """An array at a multiple of 16 bytes, and what does not begin there."""
    raw = np.empty(np.prod(shape) * 8 + 32, np.uint8)
    first = -raw.ctypes.data % 16
    return np.ndarray(shape, dtype, raw, first), np.ndarray(shape, dtype, raw, first + 8)


@pytest.fixture
def written(monkeypatch):
    """How many numbers each vector that is written has."""
    counts = []
    write = emulator.Thread.write_vector
    monkeypatch.setattr(emulator.Thread, "write_vector",
                        lambda thread, at, values: (counts.append(len(values)), write(thread, at, values)))
    return counts


@pytest.mark.parametrize("dtype", ["float32", "float16", BFLOAT16], ids=str)
def test_vectors_where_out_allows(written, dtype):
    """Aligned rows are written 4 numbers at a time, all else one by one."""
    rng = np.random.default_rng(8)
    n = gemm.EXACT_TILES["float32"].cols
    a, b = operands(rng, 3, n, 2, np.float32)
    whole, shifted = aligned((3, n), dtype)
    cases = [(whole, {}, 3 * n), (whole, {"alpha": 2.0}, 3 * n), (whole[:, 1:], {}, 0),
             (aligned((n, 3), dtype)[0].T, {}, 0), (shifted, {}, 3 * n * (dtype != "float32"))]
    for out, steps, count in cases:
        written.clear()
        some = b[:, :out.shape[1]]
        same(exact(a, some, out, **steps), a, some, **steps)
        assert sum(written) == count


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_vectors_of_tensor_cores(written, dtype):
    a = np.arange(3 * 8).reshape(3, 8).astype("float16")
    b = np.random.default_rng(13).integers(-4, 5, (halves.COLS + 8, 8)).astype("float16")
    out, _ = aligned((3, len(b)), dtype)
    product_of_halves(a, b, out, numbers.FLOAT16, (False, False))
    same(out, a.astype("float32"), b.T.astype("float32"))
    assert sum(written) == 3 * len(b) and set(written) == {4}


def test_which_epilogues_are_vectors():
    def vectors(address=64, row=64, col=4, following=0, dtype="float32", **steps):
        return Epilogue(Operand(address, row, col, following, dtype), **steps).arguments()[VECTORS]

    half, double = Operand(72, 24, 2, 8, "float16"), Operand(80, 16, 8, 0, "float64")
    assert vectors() and vectors(col=2, dtype="bfloat16") and vectors(address=72, col=2, dtype="float16")
    assert vectors(col=8, dtype="float64", sums="float64", gate=double, bias=Operand(8, 0, 4))
    assert vectors(c=Operand(64, 68, 4)) and vectors(alpha=2.0, beta=1.0, c=half, activation="relu")
    assert vectors(bias=Operand(64, 0, 4), row_scale=Operand(68, 4)) and vectors(dtype="int32", sums="int32")
    assert not any(vectors(**other) for other in (
        {"address": 68}, {"row": 68}, {"following": 68}, {"col": 8}, {"col": 8, "dtype": "float64"},
        {"sums": "float64", "residual": half}, {"residual": double}, {"gate": Operand(64, 68, 4)},
        {"beta": 1.0, "c": Operand(64, 64, 8)}, {"bias": Operand(68, 0, 4)}, {"bias": Operand(64, 16, 4)},
        {"col_scale": Operand(64)}, {"row_bias": Operand(64, 4, 4)},
        {"partial": Operand(4, 64, 4)}, {"partial": Operand(64, 64, 4), "partial_apart": 8}))


def finished(sums, out, left=None, parts=(), **steps):
    """The epilogue of a warp that has sums of 16 x 32 in shared memory; what exists of them is `left`."""
    finish_slice, size = finisher(sums.dtype.name), sums.itemsize
    pitch, kind = slice_pitch(32, size), numbers.DTYPES[sums.dtype.name]
    zero = sums.dtype.type(0)
    m, n = left or sums.shape

    def kernel(start, e):
        lane = int32(cuda.threadIdx.x)
        at = shared_address(cuda.shared.array(0, float32))
        for i in range(16):
            value = load(start + (i * 32 + lane) * size, kind, zero)
            store_one(at + i * pitch + lane * size, value)
        sync_warp()
        finish_slice(at, 16, 32, pitch, int64(0), int64(0), m, n, int32(0), lane, len(parts), e)

    machine = emulator.Machine(1, 0.02)
    made = epilogue(machine, out, sums.dtype.name, **steps)
    if len(parts):
        waiting = Operand(machine.add(parts), *parts[0].strides, dtype=sums.dtype.name)
        made = Epilogue(**{**vars(made), "partial": waiting, "partial_apart": parts.strides[0]})
    machine.launch(kernel, (1, 1, 1), 32, 16 * pitch, (machine.add(sums), *made.arguments()))
    return out


def placed(x, odd=False):
    """x in memory that is aligned, or is not; NaNs around it."""
    raw = np.full((*x.shape[:-1], x.shape[-1] + 4), np.nan, x.dtype)
    y = aligned(raw.shape, x.dtype)[0]
    y[...] = raw
    y = y[..., 1:][..., : x.shape[-1]] if odd else y[..., : x.shape[-1]]
    y[...] = x
    return y


@pytest.mark.parametrize("sums, kinds", [
    ("float32", ["float32", "float16", BFLOAT16]), ("float64", ["float64", "float32"])], ids=str)
def test_groups_meet_every_step(written, sums, kinds):
    """Each step alone, each left out; operands and out of each dtype; not all rows and columns exist."""
    rng = np.random.default_rng(15)
    lanes = 16 // np.dtype(sums).itemsize
    lefts = itertools.cycle([(16, 32), (13, 32), (1, 28), (6, 4 + lanes)])
    dtypes = itertools.cycle([*kinds, kinds[0]])
    a, eye = random_matrix(rng, (16, 32), sums), np.eye(32, dtype=sums)
    for chosen in subsets(steps_for(rng, 16, 32, sums)):
        left, dtype = next(lefts), next(dtypes)
        part = {"row_scale": slice(left[0]), "row_bias": slice(left[0]), "bias": slice(left[1]),
                "col_scale": slice(left[1])}
        steps = {name: x[part.get(name, tuple(map(slice, left)))].astype(next(dtypes))
                 if isinstance(x, np.ndarray) else x for name, x in chosen.items()}
        out = placed(np.empty((16, 36), dtype))
        out[...] = np.nan
        written.clear()
        given = {name: placed(x) if isinstance(x, np.ndarray) else x for name, x in steps.items()}
        finished(a, out[: left[0], : left[1]], left, **given)
        wide = {name: x.astype(sums) if isinstance(x, np.ndarray) else x for name, x in steps.items()}
        same(out[: left[0], : left[1]], a[: left[0]], eye[:, : left[1]], f"{sorted(chosen)}", **wide)
        assert np.isnan(out[left[0]:]).all() and np.isnan(out[:, left[1]:]).all()
        assert sum(written) == left[0] * left[1], f"{sorted(chosen)}"


@pytest.mark.parametrize("sums", ["float32", "float64"])
@pytest.mark.parametrize("odd", ["bias", "gate", "residual", "c", "col_scale", "out", None])
def test_one_operand_that_is_not_aligned(written, sums, odd):
    """All is done one by one then, with the same bits; as it is where columns end within a vector."""
    rng = np.random.default_rng(16)
    n = 32 if odd else 27
    a, eye = random_matrix(rng, (16, 32), sums), np.eye(32, dtype=sums)
    steps = {name: x[..., :n] if isinstance(x, np.ndarray) and name not in ("row_scale", "row_bias") else x
             for name, x in steps_for(rng, 16, 32, sums).items()}
    given = {name: placed(x, name == odd) if isinstance(x, np.ndarray) else x for name, x in steps.items()}
    out = placed(np.empty((16, n), sums), odd == "out")
    same(finished(a, out, (16, n), **given), a, eye[:, :n], **steps)
    assert not written


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_groups(written, dtype, activation):
    """The bits of the CPU, NaN and infinities among the numbers."""
    x = numbers_for(dtype)
    x = np.resize(x[:: max(len(x) // 512, 1)], (16, 32))
    out = placed(np.zeros((16, 32), dtype))
    finished(np.zeros((16, 32), dtype), out, beta=1.0, c=placed(x), activation=activation)
    none = np.zeros((16, 0), dtype), np.zeros((0, 32), dtype)
    same(out, *none, activation, beta=1.0, c=x, activation=activation)
    assert sum(written) == 512


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_groups_add_partial_sums(written, dtype):
    """Several, in their order; out may be what c was."""
    rng = np.random.default_rng(17)
    a, before = random_matrix(rng, (16, 32), dtype), random_matrix(rng, (16, 32), dtype)
    parts = placed(random_matrix(rng, (3, 16, 32), dtype))
    out = placed(before)
    finished(a, out, parts=parts, beta=0.5, c=out)
    total = parts[0] + parts[1] + parts[2] + a
    same(out, total, np.eye(32, dtype=dtype), beta=0.5, c=before)
    assert sum(written) == 512


def test_several_partial_sums():
    """A warp's 16 x 32 sums in two slices of fragments, added to what two others have left in memory."""
    finish_slice = finisher("float32")
    pitch = slice_pitch(16, 4)

    def kernel(e):
        lane = int32(cuda.threadIdx.x)
        sums = cuda.local.array(16, float32)
        for i in range(16):
            sums[i] = float32(lane * 16 + i)
        at = shared_address(cuda.shared.array(0, float32))
        for part in range(2):
            put_fragments(sums, 2, 2, pitch, int32(part), at + lane // 4 * pitch + lane % 4 * 8)
            sync_warp()
            finish_slice(at, 16, 16, pitch, int64(0), int64(part * 16), 16, 16, int32(0), lane, 2, e)
            sync_warp()

    machine = emulator.Machine(1, 0.02)
    partial = random_matrix(np.random.default_rng(14), (2, 16, 32), np.float32)
    out = np.full((16, 32), np.nan, np.float32)
    waiting = Operand(machine.add(partial), *partial[0].strides)
    made = Epilogue(operand(machine, out, out, {}), partial=waiting, partial_apart=partial.strides[0])
    machine.launch(kernel, (1, 1, 1), 32, 16 * pitch, made.arguments())
    row, col = np.indices(out.shape)
    place = col // 8 * 4 + row // 8 * 2 + col % 2
    sums = ((row % 8 * 4 + col % 8 // 2) * 16 + place).astype(np.float32)
    assert_same_bits(out, partial[0] + partial[1] + sums)


def test_totals_have_somewhere_to_wait():
    out = Operand(4096, 32, 4)
    shared = {"beta": 1.0, "c": out}, {"gate": out}, {"residual": out}, {"sums": "float64"}
    assert all(Epilogue(out, **steps).needs_workspace() for steps in shared)
    others = {}, {"c": out}, {"beta": 2.0, "c": Operand(8192, 32, 4)}
    assert not any(Epilogue(out, **steps).needs_workspace() for steps in others)
