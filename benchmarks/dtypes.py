"""Every dtype, stacks, gram, verify: ``python -m benchmarks.dtypes``, one thread, in one process, in turns.

Each line says what was asked for and what was seen: a ratio to the best rival (above 1: fastla is faster), or
a share of the roof of its dtype, independent multiply-adds measured in the same rounds. PyTorch is a rival if
it is installed. A star: less than was asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before they are loaded

import numpy as np  # noqa: E402

import fastla  # noqa: E402
from benchmarks.lines import Call, Line, options_of, report  # noqa: E402

try:
    import torch  # type: ignore[import-not-found]

    torch.set_num_threads(1)
except ImportError:
    torch = None


def _draw(dtype: str, *shape: int) -> Any:
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    if np.dtype(dtype).kind == "c":
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def _into(a: Any, b: Any, **options: Any) -> Call:
    out = fastla.matmul(a, b, **options)
    return lambda: fastla.matmul(a, b, out=out, **options)


def _numpy(a: Any, b: Any) -> Call:
    out = np.matmul(a, b)
    return lambda: np.matmul(a, b, out=out)


def _torch(a: Any, b: Any) -> dict[str, Call]:
    if torch is None:
        return {}
    x, y = torch.from_numpy(a), torch.from_numpy(b)
    out = torch.matmul(x, y)
    return {"PyTorch": lambda: torch.matmul(x, y, out=out)}


def integers() -> Iterator[Line]:
    for dtype, share in (("int8", 0.80), ("int16", 0.85), ("int32", 0.88), ("int64", 0.82)):
        a = _draw(dtype, 1024, 1024)
        yield Line(f"{dtype} 1024^3", _into(a, a), {}, share, dtype, 2 * 1024.0**3)
    if torch is not None:
        a = _draw("int8", 1024, 1024)
        x = torch.from_numpy(a)
        theirs = {"PyTorch": lambda: torch._int_mm(x, x)}
        yield Line("int8 -> int32 1024^3", _into(a, a, dtype=np.int32), theirs, 1.0)
    floats = _draw("float64", 1000, 1000)
    for name, a, least in (("below 100", _draw("int64", 1000, 1000) % 100, 30.0),
                           ("of any size", _draw("int64", 1000, 1000), 30.0)):  # fmt: skip
        yield Line(f"int64 1000^3 {name}", _into(a, a), {"NumPy": _numpy(a, a)}, least)
        beside = {"float64": _into(floats, floats)}
        yield Line(f"int64 1000^3 {name}, beside float64", _into(a, a), beside, 0.5)
    a = _draw("int64", 4096, 4096)
    yield Line("int64 4096^3", _into(a, a), {}, 1.0, "int64", 2 * 4096.0**3)


def floats() -> Iterator[Line]:
    a = _draw("float32", 1024, 1024)
    half = a.astype(np.float16)
    yield Line("float16 1024^3", _into(half, half), {}, 0.85, "float32", 2 * 1024.0**3)
    if torch is not None:
        import ml_dtypes

        x = torch.from_numpy(a).to(torch.bfloat16)
        b = a.astype(ml_dtypes.bfloat16)
        yield Line("bfloat16 1024^3", _into(b, b, dtype=b.dtype), {"PyTorch": lambda: x @ x}, 1.0)
    for n in (512, 2048):
        for dtype in ("complex64", "complex128"):
            a = _draw(dtype, n, n)
            yield Line(f"{dtype} {n}^3", _into(a, a), {"NumPy": _numpy(a, a)}, 1.0)
    a = _draw("float64", 4096, 4096)
    yield Line('float64 4096^3 "fast"', _into(a, a, precision="fast"), {}, 1.05, "float64", 2 * 4096.0**3)
    a = _draw("float32", 2048, 2048)
    yield Line("float32 2048^3 verify", _into(a, a, verify=True), {"without": _into(a, a)}, 1 / 1.04)


def bools() -> Iterator[Line]:
    rng = np.random.default_rng(0)
    for share, least in ((0.01, 10.0), (0.5, 1.0)):
        a = rng.random((2048, 2048)) < share
        yield Line(f"bool 2048^3, {share:.0%} true", _into(a, a), {"NumPy": _numpy(a, a)}, least)


def stacks() -> Iterator[Line]:
    for count, a_shape, b_shape, least in (
        (1_000_000, (4, 4), (4, 4), 4.0), (100_000, (3, 3), (3, 3), 1.0), (100_000, (8, 8), (8, 8), 2.0),
        (10_000, (32, 32), (32, 32), 1.05), (1_000_000, (4, 4), (4, 1), 3.0), (1_000, (4, 4), (4, 4), 4.0),
    ):  # fmt: skip
        a, b = _draw("float32", count, *a_shape), _draw("float32", count, *b_shape)
        name = f"{count} of {a_shape[0]}x{a_shape[1]} @ {b_shape[0]}x{b_shape[1]}"
        yield Line(name, _into(a, b), {"NumPy": _numpy(a, b), **_torch(a, b)}, least)


def grams() -> Iterator[Line]:
    for dtype in ("float32", "float64"):
        a = _draw(dtype, 4096, 1024)
        out, copy = fastla.gram(a), a.copy()
        ours = lambda a=a, out=out: fastla.gram(a, out=out)  # noqa: E731
        yield Line(f"gram 4096x1024 {dtype}, beside matmul", ours, {"matmul": _into(copy.T, a)}, 1.6)
        yield Line(f"gram 4096x1024 {dtype}", ours, {"NumPy": _numpy(a.T, a)}, 1.15)
    a = _draw("float32", 1_000_000, 100)
    yield Line("gram 1000000x100 float32", lambda: fastla.gram(a), {"NumPy": _numpy(a.T, a)}, 1.5)


GROUPS = (integers, floats, bools, stacks, grams)


def main() -> None:
    options = options_of("python -m benchmarks.dtypes", __doc__).parse_args()
    fastla.set_num_threads(1)
    report(GROUPS, options.only, options.seconds)


if __name__ == "__main__":
    main()
