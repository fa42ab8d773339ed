"""PyTorch's own tensors, which say that they are on a GPU and are in the emulator's memory."""

import numpy as np
import pytest

for needed in ("numba.cuda.compiler", "greenlet", "torch", "ml_dtypes"):
    pytest.importorskip(needed, reason="needs fastla[cuda], greenlet, ml_dtypes and PyTorch")

import device  # noqa: E402
import torch  # noqa: E402

from fastla.cuda import arrays  # noqa: E402


class Tensor(torch.Tensor):
    is_cuda = True

    def get_device(self):
        return 0


@pytest.fixture(autouse=True)
def on_a_gpu(monkeypatch):
    """Tensors are made on the CPU, of zeros, on a stream of its own."""
    made = arrays.library_of(Tensor)
    monkeypatch.setattr(made, "empty", lambda shape, dtype, index: own(
        torch.zeros((*shape, 256), dtype=getattr(torch, dtype))[..., 0].contiguous()))
    monkeypatch.setattr(made, "stream", lambda given: 5)
    with device.emulated() as backend:
        yield backend


def own(x):
    numpys = x.dtype not in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
    device.Array.memory.add(x.detach().view(x.dtype if numpys else torch.uint8).numpy())
    return x.as_subclass(Tensor)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_products(dtype):
    """The dtype is the operands', of bfloat16 too."""
    torch.manual_seed(1)
    a, b = (torch.randint(-3, 4, shape).to(getattr(torch, dtype)) for shape in ((3, 5, 8), (8, 6)))
    got = device.call("matmul", own(a), own(b))
    assert type(got) is Tensor and got.dtype is a.dtype
    assert torch.equal(got.as_subclass(torch.Tensor), torch.matmul(a, b))


@pytest.mark.parametrize("gpu", [device.A100, device.H200], ids=lambda gpu: gpu.name)
def test_float8(gpu):
    """float32 where no other dtype is asked for; the operands may be unlike."""
    e4m3, e5m2 = torch.float8_e4m3fn, torch.float8_e5m2
    a, b = (torch.randint(-3, 4, shape).float() for shape in ((5, 40), (40, 6)))
    with device.emulated(device.Emulated(gpu)):
        for kinds in ((e4m3, e4m3), (e5m2, e5m2), (e4m3, e5m2)):
            left, right = (own(x.to(kind)) for x, kind in zip((a, b), kinds, strict=True))
            got = device.call("matmul", left, right)
            assert got.dtype is torch.float32 and torch.equal(got.as_subclass(torch.Tensor), a @ b)
        out = own(torch.zeros((5, 6), dtype=torch.bfloat16))
        scale = own(torch.full((5,), 0.25))
        device.call("gemm", left, right, row_scale=scale, out=out)
        assert torch.equal(out.as_subclass(torch.Tensor), (a @ b * 0.25).bfloat16())
        assert device.call("matmul", left, right, dtype=torch.float16).dtype is torch.float16


def test_promotion():
    a, b = (torch.ones((2, 3), dtype=x) for x in (torch.float16, torch.bfloat16))
    assert device.call("matmul", own(a), own(b).T).dtype is torch.float32
    assert device.call("matmul", own(a), own(a).T, dtype=torch.float64).dtype is torch.float64
    with pytest.raises(TypeError, match="an operand is int64"):
        device.call("matmul", own(torch.ones((2, 2), dtype=torch.int64)), own(torch.ones((2, 2))))


def test_gradients():
    w = torch.ones((3, 3), requires_grad=True)
    with pytest.raises(RuntimeError, match="x2 requires grad"):
        device.call("matmul", own(torch.ones(3, 3)), own(w))
    with torch.no_grad():
        assert not device.call("matmul", own(torch.ones(3, 3)), own(w)).requires_grad


def test_out_and_strides():
    x = torch.arange(24.0).reshape(4, 6)
    out = own(torch.zeros((4, 8)))[:, ::2]
    assert device.call("matmul", own(x).T[::2].T, own(x[:3, :4]), out=out) is out
    want = torch.matmul(x[:, ::2], x[:3, :4])
    np.testing.assert_array_equal(out.as_subclass(torch.Tensor).numpy(), want.numpy())


def test_what_is_not_computed_yet():
    x = torch.ones((2, 2), dtype=torch.complex64).conj()
    for y, said in ((x, "an operand is complex64"), (x.imag, r"x1 is a negative.*resolve_neg\(\)")):
        with pytest.raises(TypeError, match=said):
            device.call("matmul", y.as_subclass(Tensor), own(torch.ones(2, 2)))
