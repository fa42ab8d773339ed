"""What is an array on a GPU, with stand-ins for CuPy and PyTorch: nothing is converted or copied."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

for needed in ("numba.cuda.compiler", "greenlet"):
    pytest.importorskip(needed, reason="needs fastla[cuda] and greenlet")

import device  # noqa: E402

import fastla._device  # noqa: E402
from fastla.cuda import arrays  # noqa: E402


class TorchDtype:
    def __init__(self, name):
        self.name, self.itemsize = name, int(name[-2:]) // 8

    def __str__(self):
        return f"torch.{self.name}"


RANKS = {name: TorchDtype(name) for name in ("int64", "float16", "bfloat16", "float32", "float64")}


class Tensor:
    """Of torch, as far as it is looked at."""

    __module__ = "torch"
    is_cuda = True

    def __init__(self, shape=(2, 3), stride=(3, 1), dtype="float32", index=0, **other):
        self.shape, self._stride, self.dtype = shape, stride, RANKS[dtype]
        self.get_device = lambda: index
        self.requires_grad, self.layout, self.neg = False, "strided", False
        self.__dict__.update(other)

    stride = lambda self: self._stride  # noqa: E731
    data_ptr = lambda self: 4096  # noqa: E731
    is_neg = lambda self: self.neg  # noqa: E731


class Parameter(Tensor):
    __module__ = "torch.nn.parameter"


class Ndarray:
    """Of cupy."""

    __module__ = "cupy"
    __cuda_array_interface__ = None

    def __init__(self, dtype="float32", index=0):
        self.shape, self.strides, self.dtype = (2, 3), (12, 4), np.dtype(dtype)
        self.data = SimpleNamespace(ptr=512, device_id=index)


@pytest.fixture
def torch(monkeypatch):
    module = ModuleType("torch")
    vars(module).update(RANKS, dtype=TorchDtype, strided="strided", grad=True)
    module.is_grad_enabled = lambda: module.grad
    module.promote_types = lambda x, y: RANKS["float32"] if x is not y else x
    module.cuda = SimpleNamespace(current_stream=lambda number: SimpleNamespace(cuda_stream=70 + number))
    module._C, module.device = SimpleNamespace(), lambda kind, number: f"{kind}:{number}"
    module.empty = lambda shape, dtype, device: (shape, dtype.name, device)
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setattr(arrays, "_libraries", {})
    return module


@pytest.fixture
def cupy(monkeypatch):
    module, entered = ModuleType("cupy"), []

    class Device:
        def __init__(self, number):
            self.number = number

        def __enter__(self):
            entered.append(self.number)

        def __exit__(self, *error):
            entered.append("left")

    module.cuda = SimpleNamespace(Device=Device, runtime=SimpleNamespace(getDevice=lambda: 2))
    module.cuda.get_current_stream = lambda number: SimpleNamespace(ptr=80 + number)
    module.empty = lambda shape, dtype: (shape, dtype.name, *entered)
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(arrays, "_libraries", dict(arrays._libraries))
    return module


def looks(form):
    return form.shape, form.strides, form.dtype, form.device, form.writeable, form.stream


def test_what_is_on_a_gpu(torch, cupy):
    assert fastla._device.on_gpu(Tensor()) and fastla._device.on_gpu(Parameter())
    assert fastla._device.on_gpu(Ndarray())
    for other in (np.ones(2), [1.0], 1.0, None, "x", Tensor(is_cuda=False), object()):
        assert not fastla._device.on_gpu(other)


def test_tensors(torch):
    x = Tensor(stride=(1, 2), dtype="bfloat16", index=1)
    address, form, owner = arrays.describe("f", {"x": x, "y": Parameter(index=1)})["x"]
    assert address == 4096 and owner is x
    assert looks(form) == ((2, 3), (2, 4), "bfloat16", 1, True, None)
    library = form.library
    assert library.stream([form]) == 71
    assert library.empty((5,), "float16", 1) == ((5,), "float16", "cuda:1")
    assert library.promote("float16", "bfloat16") == "float32"
    for given in (RANKS["bfloat16"], "bfloat16"):
        assert library.dtype_name(given) == "bfloat16"
    assert library.dtype_name(np.float32) == "float32"


def test_torchs_own_number_of_a_stream(torch):
    """Where there is one it is asked for, without an object in between."""
    torch._C._cuda_getCurrentRawStream = lambda number: 90 + number
    _, form, _ = arrays.describe("f", {"x": Tensor(index=1)})["x"]
    assert form.library.stream([form]) == 91


def test_arrays_that_are_alike_share_a_form(torch):
    def form(**other):
        return arrays.describe("f", {"x": Tensor(**other)})["x"][1]

    assert form() is form()
    others = [{}, {"shape": (3, 2)}, {"stride": (4, 1)}, {"dtype": "float64"}, {"index": 1}]
    assert len({form(**other) for other in others}) == len(others)


@pytest.mark.parametrize("other, kind, said", [
    ({"requires_grad": True}, RuntimeError, r"f: x requires grad.*detach\(\).*no_grad"),
    ({"neg": True}, TypeError, r"resolve_neg\(\)"),
    ({"layout": "sparse_coo"}, TypeError, "sparse_coo")], ids=str)
def test_tensors_that_are_no_numbers_in_memory(torch, other, kind, said):
    with pytest.raises(kind, match=said):
        arrays.describe("f", {"x": Tensor(**other)})


def test_no_gradients_wanted(torch):
    torch.grad = False
    assert arrays.describe("f", {"x": Tensor(requires_grad=True)})["x"][1].shape == (2, 3)


def test_arrays_of_cupy(cupy):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="needs ml_dtypes")
    address, form, _ = arrays.describe("f", {"x": Ndarray(ml_dtypes.bfloat16, 3)})["x"]
    assert address == 512 and looks(form) == ((2, 3), (12, 4), "bfloat16", 3, True, None)
    library = form.library
    assert library.stream([form]) == 83
    assert library.empty((4, 5), "float64", 2) == ((4, 5), "float64")
    assert library.empty((4, 5), "float64", 3) == ((4, 5), "float64", 3)  # not the current device
    for half in ("bfloat16", "float16"):
        assert library.promote(half, "float32") == "float32"
    with pytest.raises(TypeError, match="bfloat16"):  # as NumPy has it
        library.promote("bfloat16", "float16")
    with pytest.raises(TypeError, match="byte order"):
        arrays.describe("f", {"x": Ndarray(">f4")})


def test_the_interface_alone():
    host = np.arange(24.0).reshape(4, 6)[::-2, ::3]
    host.flags.writeable = False
    with device.emulated():
        x = device.Array(host, stream=7)
        address, form, _ = arrays.describe("f", {"x": x})["x"]
        assert address == host.ctypes.data
        assert looks(form) == ((2, 2), (-96, 24), "float64", 0, False, 7)
        assert form.reach == (-96, 24 + 8)
        library = form.library
        unnamed, other = (arrays.describe("f", {"x": device.Array(np.ones(3), stream)})["x"][1]
                          for stream in (None, 9))
        assert [library.stream(given) for given in ([form], [unnamed], [unnamed, form])] == [7, 1, 7]
        with pytest.raises(ValueError, match=r"different streams: \[7, 9\]"):
            library.stream([other, form])
        with pytest.raises(TypeError, match="byte order"):
            arrays.describe("f", {"x": device.Array(np.ones(3, ">f4"))})


def test_contiguous_arrays_need_name_no_strides():
    class Plain:
        pass

    interface = {"version": 3, "typestr": "<f4", "shape": (2, 3, 4), "data": (256, False)}
    Plain.__cuda_array_interface__ = interface
    with device.emulated():
        _, form, _ = arrays.describe("f", {"x": Plain()})["x"]
        assert form.strides == (48, 16, 4)
        with pytest.raises(TypeError, match=r"no way to make another .*Plain"):
            form.library.empty((3,), "float32", 0)
        Plain.__cuda_array_interface__ = {**interface, "mask": object()}
        with pytest.raises(TypeError, match="mask"):
            arrays.describe("f", {"x": Plain()})


def test_operands_that_do_not_go_together(torch, cupy):
    for other, kind, said in [
            (np.ones((3, 3)), TypeError, "f: b must be an array like a .Tensor.*not numpy.ndarray: nothing"),
            ([[1.0]], TypeError, "not list"), (None, TypeError, "not NoneType"),
            (Tensor(is_cuda=False), TypeError, "not torch.Tensor"),
            (Ndarray(), TypeError, "a is a torch.Tensor, b a cupy.ndarray"),
            (Tensor(index=1), ValueError, "a is on GPU 0, b on GPU 1")]:
        with pytest.raises(kind, match=said):
            arrays.describe("f", {"a": Tensor(), "b": other})


def test_without_a_gpu(monkeypatch):
    """Whatever is missing is said in a line, before anything else."""
    monkeypatch.setattr(fastla.cuda.launch, "missing", lambda: "no CUDA driver")
    x = device.Array(np.ones((2, 2)))
    for name in ("matmul", "linear", "gemm", "gram"):
        with pytest.raises(RuntimeError, match=r"^products on a GPU: no CUDA driver$"):
            device.call(name, x, x)
