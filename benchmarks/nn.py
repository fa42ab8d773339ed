"""Networks' operations beside PyTorch's: ``python -m benchmarks.nn [--threads 2]``, in one process, in turns.

Each line says what was asked for and what was seen: a ratio to PyTorch (above 1: fastla is faster), or a
share of memory's bandwidth, measured in the same rounds. Lines of onnxruntime are ratios to it. Beside a busy
neighbour: the rate of training steps, as a share of the rate without. A star: less than was asked for.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

_threads = sys.argv[sys.argv.index("--threads") + 1] if "--threads" in sys.argv else "1"
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = _threads  # before they are loaded

import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402

import fastla  # noqa: E402
from benchmarks import onnx_rival  # noqa: E402
from benchmarks.lines import Call, Line, options_of, report  # noqa: E402
from benchmarks.neighbour import busy_neighbour  # noqa: E402
from fastla import nn  # noqa: E402

try:
    import torch  # type: ignore[import-not-found]
    import torch.nn.functional as functional  # type: ignore[import-not-found]
except ImportError:
    raise SystemExit("python -m benchmarks.nn needs PyTorch: pip install torch") from None


def _draw(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _both(x: Any, bfloat16: bool = False) -> tuple[Any, Any]:
    """An array and PyTorch's tensor of the same numbers."""
    tensor = torch.from_numpy(x)
    return (x.astype(ml_dtypes.bfloat16), tensor.bfloat16()) if bfloat16 else (x, tensor)


def _copied(x: Any) -> Call:
    to = np.empty_like(x)
    return lambda: np.copyto(to, x)


def rows() -> Iterator[Line]:
    x, t = _both(_draw(16384, 1024))
    out = np.empty_like(x)
    weight, bias = np.ones(1024, np.float32), np.zeros(1024, np.float32)
    w, b = torch.from_numpy(weight), torch.from_numpy(bias)
    softmax = lambda: nn.softmax(x, out=out)  # noqa: E731
    yield Line("softmax 16384x1024", softmax, {"PyTorch": lambda: torch.softmax(t, -1)}, 5.0)
    yield Line("softmax 16384x1024, beside a copy", softmax, {"copy": _copied(x)}, 0.65)
    norm = lambda: nn.layer_norm(x, weight, bias, out=out)  # noqa: E731
    theirs = {"PyTorch": lambda: functional.layer_norm(t, (1024,), w, b)}
    yield Line("layer_norm 16384x1024", norm, theirs, 1.5)
    yield Line("layer_norm 16384x1024, beside a copy", norm, {"copy": _copied(x)}, 0.7)


def _attention(
    shape: tuple[int, ...], causal: bool, bfloat16: bool, backward: bool, target: float
) -> Line:
    (q, tq), (k, tk), (v, tv), (d, td) = (_both(x, bfloat16) for x in _draw(4, *shape))
    name = f"attention {'x'.join(map(str, shape))}{' causal' if causal else ''}"
    sdpa = functional.scaled_dot_product_attention
    if not backward:
        name += " bfloat16" if bfloat16 else ""
        theirs = {"PyTorch": lambda: sdpa(tq, tk, tv, is_causal=causal)}
        return Line(name, lambda: nn.attention(q, k, v, causal=causal), theirs, target)
    out, lse = nn.attention(q, k, v, causal=causal, return_lse=True)
    inputs = tuple(x.requires_grad_() for x in (tq, tk, tv))
    made = sdpa(*inputs, is_causal=causal)
    return Line(
        f"{name} backward",
        lambda: nn.attention_backward(d, q, k, v, out, lse, causal=causal),
        {"PyTorch": lambda: torch.autograd.grad(made, inputs, td, retain_graph=True)},
        target,
    )


def attention() -> Iterator[Line]:
    small, long, many = (1, 12, 1024, 64), (1, 16, 4096, 64), (8, 12, 128, 64)
    for causal in (False, True):
        for shape in (small, long):
            yield _attention(shape, causal, False, False, 1.2)
        yield _attention(many, causal, False, False, 1.5)
    for shape in (small, long):
        yield _attention(shape, False, True, False, 1.8)
    for causal in (False, True):
        for shape in (small, long, many):
            yield _attention(shape, causal, False, True, 1.2)


def decoding() -> Iterator[Line]:
    (q, tq), (k, tk), (v, tv) = (
        _both(_draw(1, h, n, 128)) for h, n in ((32, 1), (8, 8192), (8, 8192))
    )
    ours = lambda: nn.attention(q, k, v)  # noqa: E731
    sdpa = functional.scaled_dot_product_attention
    theirs = {"PyTorch": lambda: sdpa(tq, tk, tv, enable_gqa=True)}
    yield Line("one token, 32/8 heads, 8192 x 128", ours, theirs, 5.0)
    yield Line("one token, share of memory's bandwidth", ours, {}, 0.8, "read", k.nbytes + v.nbytes)


def linear() -> Iterator[Line]:
    for bfloat16, target in ((False, 1.12), (True, 1.1)):
        # Weights as layers have them: gelu of sums 28 times as large would be subnormal here and there.
        drawn = _draw(1024, 768), _draw(3072, 768) / np.float32(28), _draw(3072)
        (x, tx), (w, tw), (b, tb) = (_both(one, bfloat16) for one in drawn)
        theirs = {
            "PyTorch": lambda tx=tx, tw=tw, tb=tb: functional.gelu(functional.linear(tx, tw, tb))
        }
        ours = lambda x=x, w=w, b=b: fastla.linear(x, w, b, activation="gelu")  # noqa: E731
        yield Line(
            f"linear gelu 1024x768x3072{' bfloat16' if bfloat16 else ''}", ours, theirs, target
        )


SIZES = (784, 256, 128, 64, 10)


def _networks() -> tuple[nn.MLP, Any]:
    layers: list[Any] = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(SIZES)):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()][: 1 if i == len(SIZES) - 2 else 2]
    return nn.MLP(SIZES, rng=0), torch.nn.Sequential(*layers)


def networks() -> Iterator[Line]:
    ours, theirs = _networks()

    def forward(t: Any) -> Call:
        def call() -> Any:
            with torch.inference_mode():
                return theirs(t)

        return call

    for batch, target in ((1, 2.0), (64, 1.2), (4096, 1.2)):
        x, t = _both(_draw(batch, SIZES[0]))
        yield Line(
            f"MLP forward, batch {batch}", lambda x=x: ours(x), {"PyTorch": forward(t)}, target
        )
    step, their_step = _steps()
    yield Line("MLP training step, batch 128", step, {"PyTorch": their_step}, 1.3)


def _steps() -> tuple[Call, Call]:
    """A training step of 128 rows, here and in PyTorch."""
    ours, theirs = _networks()
    (x, t), y = _both(_draw(128, SIZES[0])), np.arange(128) % 10
    targets = torch.from_numpy(y)
    mine, other = nn.SGD(1e-3), torch.optim.SGD(theirs.parameters(), 1e-3)

    def step() -> None:
        z, saved = ours.forward(x)
        _, gradients = ours.backward(nn.cross_entropy_backward(z, y), saved, inputs=False)
        mine.step(ours.parameters, gradients)

    def their_step() -> None:
        other.zero_grad()
        functional.cross_entropy(theirs(t), targets).backward()
        other.step()

    return step, their_step


def neighbour() -> Iterator[Line]:
    """Two threads beside a process that keeps a core busy, stopped in turns."""
    steps, before = range(50), torch.get_num_threads()
    torch.set_num_threads(2)
    with fastla.threads(2), busy_neighbour(min(os.sched_getaffinity(0))) as process:
        os.kill(process, signal.SIGSTOP)
        for name, step in zip(("fastla", "PyTorch"), _steps(), strict=True):

            def quiet(step: Call = step) -> None:
                for _ in steps:
                    step()

            def beside(quiet: Call = quiet) -> None:
                os.kill(process, signal.SIGCONT)
                quiet()
                os.kill(process, signal.SIGSTOP)

            told = f"50 steps beside a busy neighbour, {name}"
            yield Line(told, beside, {"quiet": quiet}, 1 / 3, subject="beside")
    torch.set_num_threads(before)


def onnxruntime() -> Iterator[Line]:
    """Where it has the operation; without it nothing."""

    def line(what: str, ours: Call, nodes: list[onnx_rival.Node], constants: Any, **x: Any) -> Line:
        theirs = onnx_rival.call(nodes, x, constants, int(_threads))
        np.testing.assert_allclose(theirs()[0], ours(), rtol=1e-3, atol=1e-4)
        return Line(f"onnxruntime: {what}", ours, {"onnxruntime": theirs}, 1.0)

    if not onnx_rival.there():
        print("onnxruntime or onnx is not there: its lines are left out")
        return
    x, out = _draw(16384, 1024), np.empty((16384, 1024), np.float32)
    yield line("softmax 16384x1024", lambda: nn.softmax(x, out=out), [("Softmax", "x", {})], {}, x=x)
    w, b = np.ones(1024, np.float32), np.zeros(1024, np.float32)
    norm = lambda: nn.layer_norm(x, w, b, out=out)  # noqa: E731
    nodes: list[onnx_rival.Node] = [("LayerNormalization", "x w b", {})]
    yield line("layer_norm 16384x1024", norm, nodes, {"w": w, "b": b}, x=x)
    rows_, weights, bias = _draw(1024, 768), _draw(3072, 768) / np.float32(28), _draw(3072)
    gelu = lambda: fastla.linear(rows_, weights, bias, activation="gelu")  # noqa: E731
    nodes = [("Gemm", "x w b", {"transB": 1}), ("Gelu", "_", {})]
    yield line("linear gelu 1024x768x3072", gelu, nodes, {"w": weights, "b": bias}, x=rows_)
    model, nodes = nn.MLP(SIZES, rng=0), []
    for i in range(len(SIZES) - 1):
        nodes += [("Relu", "_", {})] if i else []
        nodes += [("Gemm", f"{'_' if i else 'x'} {i}.weight {i}.bias", {"transB": 1})]
    for batch in (1, 64, 4096):
        images = _draw(batch, SIZES[0])
        forward = lambda images=images: model(images)  # noqa: E731
        yield line(f"MLP forward, batch {batch}", forward, nodes, model.parameters, x=images)
    for causal in (False, True):
        q, k, v = _draw(3, 1, 12, 1024, 64)
        attend = lambda q=q, k=k, v=v, causal=causal: nn.attention(q, k, v, causal=causal)  # noqa: E731
        nodes = [("Attention", "q k v", {"is_causal": int(causal)})]
        what = f"attention 1x12x1024x64{' causal' if causal else ''}"
        yield line(what, attend, nodes, {}, q=q, k=k, v=v)


GROUPS = (rows, linear, networks, attention, decoding, neighbour, onnxruntime)


def main() -> None:
    parser = options_of("python -m benchmarks.nn", __doc__)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    fastla.set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    report(GROUPS, options.only, options.seconds)


if __name__ == "__main__":
    main()
