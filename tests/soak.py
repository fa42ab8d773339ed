"""Random products, each computed in two ways, for as long as you like; memory must stay flat.

    python tests/soak.py --calls 100000 [--seed 0]

Every call draws shapes, strides, byte orders, a dtype, threads, a kernel row, a path, an epilogue. The
bits are compared with those of another row, path and thread count on contiguous copies, or, for tiny
products, with the oracle's. The first mismatch ends the run with the line that repeats it.
"""

import argparse
import ctypes
import itertools
import sys
import time
import traceback

import ml_dtypes
import numpy as np
import oracle
import shapes

import fastla
from fastla import _core

PATHS = ("auto", "auto", "packed", "direct", "vector")
THREADS = (1, 1, 2, 3, 8)
ACTIVATIONS = (None, "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")
ORACLE_WORK = 400  # multiply-adds
FLAT = 4 << 20  # bytes the process may grow after the warm-up: 42 for each of 100000 calls
LAYOUTS = len(list(shapes.layouts(np.ones((2, 2)))))
BF16 = np.dtype(ml_dtypes.bfloat16)
OTHERS = [np.dtype(code) for code in "?bBhHiIlLFDe"] + [BF16]
ANY = [*OTHERS, np.dtype("f"), np.dtype("d")]
ISAS = [name for name in shapes.isa_names() if shapes.usable(name)]


def draw_sizes(rng, dtype):
    """Mostly small, often just around a block of K, now and then large enough for several threads."""
    kb = oracle.kb(dtype)
    kind = rng.integers(0, 10)
    if kind < 3:
        return tuple(rng.integers(0, 8, 3))
    if kind < 6:
        return tuple(rng.integers(1, 70, 3))
    if kind < 8:
        m, n = rng.integers(1, 60, 2)
        return m, n, rng.integers(1, 5) * kb + rng.integers(-2, 3)
    if kind < 9:
        long, short = rng.integers(100, 2000), rng.integers(1, 6)
        return tuple(rng.permutation([long, short, rng.integers(1, 100)]))
    return tuple(rng.integers(50, 260, 3))


def store(rng, x):
    """x in a random memory layout."""
    kind = rng.integers(0, 8)
    if kind < 3 or x.ndim != 2:
        return x if kind % 2 else shapes.poisoned(x)
    if kind < 4:
        return np.asfortranarray(x)
    return next(itertools.islice(shapes.layouts(x), int(rng.integers(0, LAYOUTS)), None))[1]


def draw_epilogue(rng, m, n, dtype):
    def some(shape):
        return store(rng, shapes.random_matrix(rng, shape, dtype))

    steps = {}
    for name, shape in [("row_scale", (m,)), ("col_scale", (n,)), ("bias", (n,)), ("row_bias", (m,)),
                        ("gate", (m, n)), ("residual", (m, n))]:
        if rng.random() < 0.25:
            steps[name] = some(shape)
    if rng.random() < 0.4:
        steps["alpha"] = float(rng.standard_normal())
    if rng.random() < 0.4:
        steps |= {"beta": float(rng.standard_normal()), "c": some((m, n))}
    steps["activation"] = ACTIVATIONS[rng.integers(0, len(ACTIVATIONS))]
    return steps


def draw_way(rng):
    return (ISAS[rng.integers(0, len(ISAS))], PATHS[rng.integers(0, len(PATHS))],
            THREADS[rng.integers(0, len(THREADS))])


def go(way, function, *args, **kwargs):
    """The call under a kernel row, a path and a thread count."""
    isa, path, threads = way
    with fastla.use_isa(isa), np.errstate(all="ignore"):
        _core.force_path(path)
        try:
            return function(*args, num_threads=threads, **kwargs)
        finally:
            _core.force_path("auto")


def native(x):
    return np.array(x, x.dtype.newbyteorder("="), order="C")


def gemm_call(rng, dtype):
    m, n, k = (int(x) for x in draw_sizes(rng, dtype))
    a, b = (shapes.random_matrix(rng, s, dtype) for s in ((m, k), (k, n)))
    steps = draw_epilogue(rng, m, n, dtype)
    plain = {key: native(v) if isinstance(v, np.ndarray) else v for key, v in steps.items()}
    out = shapes.Guarded((m, n), dtype, ("C", "F", "strided", "reversed")[rng.integers(0, 4)])
    aliased = next((s for s in ("c", "gate", "residual") if s in steps), None)
    if aliased and rng.random() < 0.5:
        out.out[...] = steps[aliased]
        steps[aliased] = out.out
    ways = draw_way(rng), draw_way(rng)
    context = f"gemm {m}x{n}x{k} {np.dtype(dtype).name} {sorted(steps)} {ways}"
    y = store(rng, b)
    go(ways[0], fastla.gemm, store(rng, a), fastla.pack(y) if rng.random() < 0.2 else y, out=out.out,
       **steps)
    slow = steps["activation"] not in (None, "relu")  # the oracle's functions are scalar
    tiny = m * n * max(k, 50 if slow else 1) <= ORACLE_WORK
    want = oracle.gemm(a, b, **plain) if tiny else go(ways[1], fastla.gemm, a, b, **plain)
    shapes.assert_same_bits(out.out, want, context)
    out.check(context)


def matmul_call(rng, dtype):
    """Stacks, broadcasting and vectors."""
    m, n, k = (int(x) for x in draw_sizes(rng, dtype))
    stack = [int(x) for x in rng.integers(1, 4, rng.integers(0, 3))]
    if m * n * k > 200_000:
        stack = []
    keep = rng.random((2, len(stack))) < 0.7
    a_stack, b_stack = ([s if kept else 1 for s, kept in zip(stack, row, strict=True)] for row in keep)
    a = shapes.random_matrix(rng, (*a_stack, m, k), dtype)
    b = shapes.random_matrix(rng, (*b_stack, k, n), dtype)
    if rng.random() < 0.1 and m and not a_stack:
        a = a[0]
    if rng.random() < 0.1 and n and not b_stack:
        b = b[:, 0]
    ways = draw_way(rng), draw_way(rng)
    context = f"matmul {a.shape} @ {b.shape} {np.dtype(dtype).name} {ways}"
    got = go(ways[0], fastla.matmul, store(rng, a), store(rng, b))
    tiny = got.size * k <= ORACLE_WORK
    want = oracle.matmul(a, b) if tiny else go(ways[1], fastla.matmul, a.copy(), b.copy())
    shapes.assert_same_bits(np.asarray(got), np.asarray(want), context)


def draw_other(rng, shape, dtype):
    """Integers over their whole range, or small ones; of complex numbers and 16-bit floats what rounds."""
    if dtype.kind == "b":
        return rng.random(shape) < rng.choice([0.02, 0.5])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if rng.random() < 0.3:
            return rng.integers(0, min(info.max, 2 ** int(rng.integers(1, 25))), shape).astype(dtype)
        return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    x = shapes.random_matrix(rng, (*shape, 2), np.float64)
    return (x[..., 0] + 1j * x[..., 1] if dtype.kind == "c" else x[..., 0] / 8).astype(dtype)


def store_other(rng, x):
    """x in a random memory layout, beside other numbers."""
    kind = rng.integers(0, 5)
    if kind == 0:
        return np.asfortranarray(x)
    if kind == 1 and x.dtype != BF16:
        return x.astype(x.dtype.newbyteorder())
    if kind == 2:
        big = np.full(tuple(2 * n + 3 for n in x.shape), 7, x.dtype)
        view = big[tuple(slice(1, 2 * n + 1, 2) for n in x.shape)]
    elif kind == 3:
        view = np.empty_like(x)[::-1]
    else:
        return x
    view[...] = x
    return view


def expected_other(a, b, way):
    """By numpy.matmul for integers, which is exact; by the oracle, or another way if that takes too long."""
    if a.dtype.kind in "biu" and a.size * b.shape[1] < 1_000_000:
        return np.matmul(a, b)
    if a.size * b.shape[1] > ORACLE_WORK:
        return go(way, fastla.matmul, a.copy(), b.copy())
    if a.dtype.kind == "c":
        return oracle.complex2(a, b)
    if a.dtype == BF16:
        return go(way, fastla.matmul, a.copy(), b.copy())
    with np.errstate(all="ignore"):
        return oracle.matmul2(a.astype(np.float32), b.astype(np.float32)).astype(np.float16)


def compare_other(got, want, context):
    # A complex number is two of its parts.
    pairs = [(x.real, x.imag) if x.dtype.kind == "c" else (x,) for x in (got, want)]
    for x, y in zip(*pairs, strict=True):
        same = np.array_equal(x, y) and x.dtype == y.dtype if x.dtype.kind in "biu" else None
        assert same is not False, context
        if same is None:
            shapes.assert_same_bits(np.ascontiguousarray(x), np.ascontiguousarray(y), context)


def other_call(rng):
    """The dtypes without epilogues."""
    dtype = OTHERS[rng.integers(0, len(OTHERS))]
    m, n, k = (int(x) for x in draw_sizes(rng, np.float32))
    a, b = draw_other(rng, (m, k), dtype), draw_other(rng, (k, n), dtype)
    ways = draw_way(rng), draw_way(rng)
    context = f"matmul {m}x{n}x{k} {dtype.name} {ways}"
    step = int(rng.integers(1, 3))
    buffer = np.full((step * m + 2, step * n + 2), 7, dtype)
    if dtype == BF16:
        buffer = buffer.astype(np.float32)  # NumPy's result type
    out = buffer[1:step * m + 1:step, 1:step * n + 1:step]
    go(ways[0], fastla.matmul, store_other(rng, a), store_other(rng, b), out=out)
    want = expected_other(a, b, ways[1])
    got = np.ascontiguousarray(out)
    compare_other(got, want, context)
    out[...] = 7
    assert (buffer == buffer.dtype.type(7)).all(), f"{context}: written outside out"


def draw_any(rng, shape, dtype):
    draw = shapes.random_matrix if dtype in (np.float32, np.float64) else draw_other
    return draw(rng, shape, dtype)


def stack_call(rng):
    """Long stacks of small products of any dtype, one of them computed alone."""
    dtype = ANY[rng.integers(0, len(ANY))]
    m, n, k = (int(x) for x in rng.integers(1, 18, 3))
    stack = [int(x) for x in rng.integers(1, 30, rng.integers(1, 3))]
    a_stack, b_stack = ([1 if rng.random() < 0.2 else x for x in stack] for _ in range(2))
    a, b = draw_any(rng, (*a_stack, m, k), dtype), draw_any(rng, (*b_stack, k, n), dtype)
    if rng.random() < 0.3:
        b = np.ascontiguousarray(b.swapaxes(-1, -2)).swapaxes(-1, -2)
    if rng.random() < 0.3:
        a = np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2)
    ways = draw_way(rng), draw_way(rng)
    context = f"stack {a.shape} @ {b.shape} {dtype.name} {ways}"
    got = go(ways[0], fastla.matmul, a, b)
    at = tuple(int(rng.integers(0, s)) for s in got.shape[:-2])
    left, right = (np.broadcast_to(x, (*got.shape[:-2], *x.shape[-2:]))[at] for x in (a, b))
    compare_other(got[at], np.asarray(go(ways[1], fastla.matmul, left.copy(), right.copy())), context)


def gram_call(rng):
    """A matrix times its own transpose, against the product."""
    dtype = ANY[rng.integers(0, len(ANY))]
    m, n, _ = (int(x) for x in draw_sizes(rng, np.float32))
    a = draw_any(rng, (m, n), dtype)
    side = ("left", "right")[rng.integers(0, 2)]
    ways = draw_way(rng), draw_way(rng)
    turned = a.conj().T
    operands = (turned, a) if side == "left" else (a, turned)
    got = go(ways[0], fastla.gram, store_other(rng, a) if a.dtype != BF16 else a, side=side)
    want = go(ways[1], fastla.matmul, *(x.copy() for x in operands))
    compare_other(got, want, f"gram {m}x{n} {side} {dtype.name} {ways}")


def one(seed, index):
    rng = np.random.default_rng([seed, index])
    kind = rng.random()
    if kind < 0.3:
        return other_call(rng)
    if kind < 0.4:
        return (stack_call if kind < 0.36 else gram_call)(rng)
    dtype = shapes.DTYPES[rng.integers(0, 2)]
    return (gemm_call if rng.random() < 0.6 else matmul_call)(rng, dtype)


def resident():
    """Bytes of memory the process holds, without what malloc keeps of freed operands."""
    fastla.release_workspace()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim:
        trim(0)
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


def soak(calls, seed):
    start, baseline = time.monotonic(), None
    step = max(1, calls // 20)
    for index in range(calls):
        try:
            one(seed, index)
        except Exception:
            traceback.print_exc()
            print(f"\nrepeat it: python tests/soak.py --seed {seed} --only {index}")
            return 1
        if (index + 1) % step == 0:
            now = resident()
            baseline = now if index + 1 <= max(step, calls // 5) else baseline
            print(f"{index + 1:>8} of {calls} calls, 0 wrong, {now >> 20} MiB, "
                  f"{time.monotonic() - start:.0f} s", flush=True)
            if now > baseline + FLAT:
                print(f"memory grew from {baseline >> 20} MiB after the warm-up to {now >> 20} MiB")
                return 1
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="repeat the one call of this index")
    args = parser.parse_args()
    print(f"fastla {fastla.__version__}, kernel rows {', '.join(ISAS)}, seed {args.seed}", flush=True)
    try:
        if args.only is not None:
            one(args.seed, args.only)
            return 0
        return soak(args.calls, args.seed)
    except KeyboardInterrupt:
        print("\nstopped; nothing was wrong so far")
        return 130


if __name__ == "__main__":
    sys.exit(main())
