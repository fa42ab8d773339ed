"""How finished sums come from registers to memory: by a warp's slice, in vectors or one by one."""

import numpy as np
import pytest

import fastla

for needed in ("numba.cuda.compiler", "greenlet", "cuda.bindings", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet and ml_dtypes")

import emulator  # noqa: E402
import mutations  # noqa: E402
from numba import cuda  # noqa: E402
from numba.cuda import float32, int32, int64  # noqa: E402
from operands import operand  # noqa: E402
from shapes import assert_same_bits, random_matrix  # noqa: E402
from test_epilogues import BFLOAT16, SCATTERED, exact, operands, same  # noqa: E402
from test_exact import product  # noqa: E402
from test_tensor_cores import product as product_of_halves  # noqa: E402

from fastla.cuda import gemm, halves, numbers, rings  # noqa: E402
from fastla.cuda.epilogue import (  # noqa: E402
    LENGTH,
    VECTORS,
    Epilogue,
    Operand,
    finisher,
    slice_pitch,
)
from fastla.cuda.ptx import shared_address  # noqa: E402
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
    """Whole slices of aligned rows are written 4 numbers at a time, all else one by one."""
    rng = np.random.default_rng(8)
    n = gemm.EXACT_TILES["float32"].cols
    a, b = operands(rng, 3, n, 2, np.float32)
    whole, shifted = aligned((3, n), dtype)
    cases = [(whole, {}, 3 * n), (whole, {"alpha": 2.0}, 0), (whole[:, 1:], {}, 0),
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
    assert sum(written) == 3 * halves.COLS and set(written) == {4}


def test_which_epilogues_are_vectors():
    def vectors(address=64, row=64, col=4, following=0, dtype="float32", **steps):
        return Epilogue(Operand(address, row, col, following, dtype), **steps).arguments()[VECTORS]

    assert vectors() and vectors(col=2, dtype="bfloat16") and vectors(address=72, col=2, dtype="float16")
    assert vectors(col=8, dtype="float64", sums="float64") and vectors(c=Operand(64, 64, 4))
    assert not any(vectors(**other) for other in (
        {"address": 68}, {"row": 68}, {"following": 68}, {"col": 8}, {"alpha": 2}, {"activation": "relu"},
        {"bias": Operand(64)}, {"col": 8, "dtype": "float64"}, {"sums": "float64"}))


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
    epilogue = Epilogue(operand(machine, out, out, {}), partial=waiting, partial_apart=partial.strides[0])
    machine.launch(kernel, (1, 1, 1), 32, 16 * pitch, epilogue.arguments())
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
    tile = gemm.EXACT_TILES["float32"]

    def given(k, epilogue):
        return gemm.exact_arguments(tile, SCATTERED, (8, 8, k), (0, 0), (4, 4), (4, 4), (0, 0), epilogue)

    with pytest.raises(ValueError, match="513 steps have to wait in a workspace"):
        given(513, Epilogue(out, residual=out))
    assert len(given(512, Epilogue(out, residual=out))) == 15 + LENGTH
    assert len(given(513, Epilogue(out, residual=out, partial=Operand(8192, 32, 4)))) == 15 + LENGTH


@pytest.mark.parametrize("family", ["exact", "halves"])
def test_the_emulator_sees_that_a_warp_does_not_wait(family):
    rng = np.random.default_rng(10)
    a, b = (rng.integers(-4, 5, (64, 64)).astype(np.float16) for _ in range(2))
    want = fastla.matmul(a.astype(np.float32), b.T.astype(np.float32))
    layouts = [halves.Layout(False)] * 2
    for right in (True, False):
        def made(make, right=right):
            return make if right else mutations.without(make, "sync_warp")

        if family == "exact":
            chains = made(gemm._chains)("float32")
            kernel = rings.ring_kernel(gemm.EXACT_TILES["float32"], *SCATTERED, chains)
        else:
            kernel = made(halves.halves_kernel)(numbers.FLOAT16, *layouts)
        out = np.full((64, 64), np.nan, np.float32)
        if family == "exact":
            product(a.astype(np.float32), b.T.astype(np.float32), out, SCATTERED, kernel)
        else:
            product_of_halves(a, b, out, numbers.FLOAT16, (False, False), kernel)
        assert np.array_equal(out, want) == right
