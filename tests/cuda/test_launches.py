"""Launches by a driver that is not there: what it is asked for, in which context, with which arguments."""

import ctypes
import re
import subprocess
import threading
from types import SimpleNamespace

import pytest

for needed in ("numba.cuda.compiler", "cuda.bindings"):
    pytest.importorskip(needed, reason="needs fastla[cuda]")

import machine_code  # noqa: E402

from fastla.cuda import copies, families, launch  # noqa: E402


class Status(int):
    name = "CUDA_ERROR_OUT_OF_MEMORY"


class Cuda:
    """Of cuda.bindings.driver; contexts are 100 and the device's number."""

    def __init__(self, capability=(9, 0), count=5):
        self.capability, self.count, self.calls, self.stack, self.failing = capability, count, [], [0], None
        self.CUdevice_attribute = SimpleNamespace(
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR="major",
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR="minor",
            CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT="count", CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE="l2",
            CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN="shared")
        self.CUpointer_attribute = SimpleNamespace(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL="ordinal")
        self.CUfunction_attribute = SimpleNamespace(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES="shared")

    def __getattr__(self, name):
        def function(*arguments):
            self.calls.append((name, arguments))
            if name == self.failing:
                return (Status(2),)
            found = getattr(self, f"_{name}")(*arguments)
            return (0,) if found is None else (0, found)

        return function

    def named(self, name):
        return [arguments for called, arguments in self.calls if called == name]

    _cuInit = lambda self, flags: None  # noqa: E731
    _cuDeviceGet = lambda self, number: number  # noqa: E731
    _cuDeviceGetName = lambda self, size, handle: b"GPU\0\0"  # noqa: E731
    _cuPointerGetAttribute = lambda self, what, address: 3  # noqa: E731
    _cuDevicePrimaryCtxRetain = lambda self, handle: 100 + handle  # noqa: E731
    _cuCtxGetCurrent = lambda self: self.stack[-1]  # noqa: E731
    _cuCtxPushCurrent = lambda self, context: self.stack.append(context)  # noqa: E731
    _cuModuleLoadData = lambda self, code: ("module", code)  # noqa: E731
    _cuModuleEnumerateFunctions = lambda self, count, module: [("function", *module)]  # noqa: E731
    _cuFuncSetAttribute = lambda self, function, what, value: None  # noqa: E731

    def _cuDeviceGetAttribute(self, what, handle):
        major, minor = self.capability
        return {"major": major, "minor": minor, "count": 132, "l2": 1 << 20, "shared": 227 << 10}[what]

    def _cuCtxPopCurrent(self):
        return self.stack.pop()

    def _cuLaunchKernel(self, function, x, y, z, bx, by, bz, shared, stream, parameters, extra):
        pointers = (ctypes.c_uint64 * self.count).from_address(parameters)
        self.launched = [ctypes.c_uint64.from_address(p).value for p in pointers]
        self.pointers, self.context = list(pointers), self.stack[-1]


@pytest.fixture
def cuda(monkeypatch):
    made = Cuda()
    monkeypatch.setattr(launch.importlib, "import_module", lambda name: made)
    monkeypatch.setattr(launch.Variant, "cubin", lambda self, capability: (self.name, capability))
    return made


VARIANT = launch.Variant("kernel", lambda: None, (None,) * 5, 256, 100_000)
ARGUMENTS = (1 << 47, 2, -3, 0, 2**63 - 1)


def test_arguments_context_and_stream(cuda):
    driver = launch.Driver()
    driver.launch(VARIANT, (7, 1, 1), ARGUMENTS, 1, 55)
    (given,) = cuda.named("cuLaunchKernel")
    assert given[:9] == (("function", "module", ("kernel", (9, 0))), 7, 1, 1, 256, 1, 1, 100_000, 55)
    assert cuda.launched == [1 << 47, 2, 2**64 - 3, 0, 2**63 - 1]
    assert cuda.context == 101 and cuda.stack == [0]
    assert cuda.named("cuFuncSetAttribute") == [(given[0], "shared", 100_000)]


def test_a_kernel_is_loaded_once_a_device(cuda):
    driver = launch.Driver()
    for device in (0, 0, 1, 1, 0):
        driver.launch(VARIANT, (1, 1, 1), ARGUMENTS, device, 0)
    assert len(cuda.named("cuModuleLoadData")) == len(cuda.named("cuDevicePrimaryCtxRetain")) == 2
    assert len(cuda.named("cuLaunchKernel")) == 5


def test_a_context_that_is_current_stays(cuda):
    driver = launch.Driver()
    driver.launch(VARIANT, (1, 1, 1), ARGUMENTS, 0, 0)
    cuda.stack[:] = [100]
    cuda.calls.clear()
    driver.launch(VARIANT, (1, 1, 1), (5, 4, 3, 2, 1), 0, 0)
    assert [name for name, _ in cuda.calls] == ["cuCtxGetCurrent", "cuLaunchKernel"]
    assert cuda.launched == [5, 4, 3, 2, 1]


def test_tensor_maps_by_value(cuda):
    class Map:
        def encoded(self):
            return bytes(range(128))

    variant = launch.Variant("with a map", lambda: None, (None,) * 3, 128, 0, maps=(1,))
    cuda.count = 3
    driver = launch.Driver()
    driver.launch(variant, (1, 1, 1), (11, Map(), 33), 0, 0)
    first, at, last = cuda.pointers
    assert at % 64 == 0 and ctypes.string_at(at, 128) == bytes(range(128))
    assert [ctypes.c_int64.from_address(p).value for p in (first, last)] == [11, 33]


@pytest.mark.parametrize("call", ["cuInit", "cuDeviceGet", "cuModuleLoadData", "cuFuncSetAttribute",
                                  "cuLaunchKernel", "cuCtxPushCurrent"])
def test_errors_name_the_call(cuda, call):
    cuda.failing = call
    with pytest.raises(RuntimeError, match=f"^{call}: CUDA_ERROR_OUT_OF_MEMORY"):
        launch.Driver().launch(VARIANT, (1, 1, 1), ARGUMENTS, 0, 0)
    assert cuda.stack == [0]


def test_devices(cuda):
    driver = launch.Driver()
    assert driver.device(0) == launch.Device("GPU", (9, 0), 132, 1 << 20, 227 << 10)
    assert driver.device_of(4096) == 3
    cuda.capability = (7, 5)
    with pytest.raises(RuntimeError, match=r"GPU 1 \(GPU\) has compute capability 7.5; 8.0 is the oldest"):
        driver.device(1)


def test_threads_do_not_mix_arguments(cuda):
    driver, wrong = launch.Driver(), []
    seen = threading.local()

    def kernel(function, *rest):
        values = (ctypes.c_uint64 * 5).from_address(rest[-2])
        first = [ctypes.c_uint64.from_address(p).value for p in values]
        for _ in range(20):
            if [ctypes.c_uint64.from_address(p).value for p in values] != first or len(set(first)) > 1:
                wrong.append(first)

    cuda._cuLaunchKernel = kernel
    cuda._cuCtxGetCurrent = lambda: 100

    def work(i):
        seen.i = i
        for _ in range(100):
            driver.launch(VARIANT, (1, 1, 1), (seen.i,) * 5, 0, 0)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("variant", [
    families._exact_variant("float32", 0, 1), families._halves_variant("float16", False, True),
    copies.variant()], ids=lambda v: v.name)
def test_a_kernels_parameters_are_its_arguments(variant, monkeypatch, tmp_path):
    """In machine code there is one kernel, which takes 8 bytes for each."""
    monkeypatch.setenv("FASTLA_CACHE_DIR", str(tmp_path))
    (tmp_path / "cubin").write_bytes(variant.cubin((8, 0)))
    said = subprocess.run([machine_code.tool("cuobjdump"), "-elf", tmp_path / "cubin"], capture_output=True,
                          text=True, check=True).stdout
    sizes = re.findall(r"KPARAM_INFO.*?Size\s*:\s*(0x[0-9a-f]+)", said, re.DOTALL)
    assert sizes == ["0x8"] * sum(getattr(kind, "count", 1) for kind in variant.signature)
    assert len(set(re.findall(r"\.text\.\S+", said))) == 1
