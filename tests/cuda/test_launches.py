"""Launches by a driver that is not there: what it is asked for, in which context, with which arguments."""

import ctypes
import re
import subprocess
import threading
from types import SimpleNamespace

import pytest

for needed in ("numba.cuda.compiler", "cuda.bindings", "greenlet"):
    pytest.importorskip(needed, reason="needs fastla[cuda] and greenlet")

import machine_code  # noqa: E402
from device import A100  # noqa: E402

from fastla.cuda import copies, families, launch, plan, problem  # noqa: E402


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
    CUtensorMap = lambda self, _ptr: _ptr  # noqa: E731
    _cuTensorMapReplaceAddress = lambda self, at, address: ctypes.memset(at, address, 128) and None  # noqa: E731
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
ARGUMENTS = launch.Arguments((7, 2, -3, 7, 7), ((0,), (3, 4)))


def test_arguments_context_and_stream(cuda):
    prepared = launch.Driver().prepared(VARIANT, (7, 1, 1), ARGUMENTS, 1)
    assert not cuda.named("cuLaunchKernel")
    prepared(55, 1 << 47, 2**63 - 1)
    (given,) = cuda.named("cuLaunchKernel")
    assert given[:9] == (("function", "module", ("kernel", (9, 0))), 7, 1, 1, 256, 1, 1, 100_000, 55)
    assert cuda.launched == [1 << 47, 2, 2**64 - 3, 2**63 - 1, 2**63 - 1]
    assert ARGUMENTS(1 << 47, 9) == (1 << 47, 2, -3, 9, 9)
    assert cuda.context == 101 and cuda.stack == [0]
    assert cuda.named("cuFuncSetAttribute") == [(given[0], "shared", 100_000)]


def test_a_kernel_is_loaded_once_a_device(cuda):
    driver = launch.Driver()
    for device in (0, 0, 1, 1, 0):
        driver.prepared(VARIANT, (1, 1, 1), ARGUMENTS, device)(0, 1, 2)
    assert len(cuda.named("cuModuleLoadData")) == len(cuda.named("cuDevicePrimaryCtxRetain")) == 2
    assert len(cuda.named("cuLaunchKernel")) == 5


def test_a_context_that_is_current_stays(cuda):
    prepared = launch.Driver().prepared(VARIANT, (1, 1, 1), ARGUMENTS, 0)
    cuda.stack[:] = [100]
    cuda.calls.clear()
    prepared(0, 5, 4)
    assert [name for name, _ in cuda.calls] == ["cuCtxGetCurrent", "cuLaunchKernel"]
    assert cuda.launched == [5, 2, 2**64 - 3, 4, 4]


def test_a_call_changes_the_addresses(cuda):
    """In the memory of the one before; one that does not end well leaves nothing behind."""
    prepared = launch.Driver().prepared(VARIANT, (1, 1, 1), ARGUMENTS, 0)
    seen = []
    for addresses in ((1, 2), (3, 4)):
        prepared(0, *addresses)
        seen.append(cuda.pointers)
        assert cuda.launched[0::4] == list(addresses)
    assert seen[0] == seen[1]
    cuda.failing = "cuLaunchKernel"
    with pytest.raises(RuntimeError, match=r"CUDA_ERROR_OUT_OF_MEMORY \(kernel, \(1, 1, 1\)\)"):
        prepared(0, 5, 6)
    cuda.failing = None
    prepared(0, 7, 8)
    assert cuda.launched == [7, 2, 2**64 - 3, 8, 8]


def test_tensor_maps_by_value(cuda):
    made = []

    class Map:
        def __init__(self, address):
            self.address = address

        def encoded(self):
            made.append(self.address)
            return bytes([self.address]) * 128

    maps = {address: Map(address) for address in range(1, 5)}
    arguments = launch.Arguments((0, 0, 22, 0), ((), (), (3,)), lambda a, b: (maps[a], maps[b]))
    variant = launch.Variant("with maps", lambda: None, (None,) * 4, 128, 0, maps=(0, 1))
    cuda.count = 4
    assert arguments(1, 2, 33) == (maps[1], maps[2], 22, 33)
    prepared = launch.Driver().prepared(variant, (1, 1, 1), arguments, 0)
    for addresses in ((1, 2), (1, 2), (3, 2), (2, 3)):
        prepared(0, *addresses, 33)
        *shown, third, last = cuda.pointers
        for at, address in zip(shown, addresses, strict=True):
            assert at % 64 == 0 and ctypes.string_at(at, 128) == bytes([address]) * 128
        assert [ctypes.c_int64.from_address(p).value for p in (third, last)] == [22, 33]
    assert made == [1, 2], "later ones are the same but for the address"
    assert [address for _, address in cuda.named("cuTensorMapReplaceAddress")] == [3, 2, 3]
    cuda.failing = "cuTensorMapReplaceAddress"
    with pytest.raises(RuntimeError, match=r"^cuTensorMapReplaceAddress: CUDA_ERROR_OUT_OF_MEMORY"):
        prepared(0, 4, 3, 33)
    cuda.failing = None
    prepared(0, 2, 1, 33)
    assert [ctypes.string_at(at, 1) for at in cuda.pointers[:2]] == [b"\x02", b"\x01"]
    assert made == [1, 2, 2, 1]


def test_what_plans_are_launched_with(cuda):
    """Each address of a plan where the kernel has it."""
    def layout(rows, cols, dtype="float32"):
        return plan.Layout(dtype, (cols * problem.SIZES[dtype], problem.SIZES[dtype], 0))

    seen, driver = set(), launch.Driver()
    steps = plan.Steps(0.5, 2.0, "relu", (("c", layout(40, 50)), ("bias", plan.Layout("float32", (0, 4, 0)))))
    for m, n, k, dtype in ((40, 50, 600, "float32"), (40, 50, 600, "float16"), (1, 50, 60, "float32"),
                           (40, 1, 60, "float16")):
        for extra in ((), (5 << 40, 6 << 40)):
            a, b, c = layout(m, k, dtype), layout(k, n, dtype), layout(m, n, "float16")
            asked = steps if extra else plan.Steps()
            desc = plan.Desc(m, n, k, 1, dtype, a, b, c, asked, precision="fast")
            for found in plan.candidates(desc, A100):
                addresses = 1 << 40, 2 << 40, 3 << 40, 4 << 40, *extra
                wanted = found.arguments(*addresses)
                cuda.count = len(wanted)
                driver.prepared(found.variant, found.grid, found.arguments, 0)(0, *addresses)
                assert cuda.launched == [x % 2**64 for x in wanted]
                assert {1 << 40, 2 << 40, 3 << 40, *extra} <= set(cuda.launched)
                seen.add(found.variant.name.split()[0])
    assert seen == {"exact", "halves", "vectors"}


@pytest.mark.parametrize("call", ["cuInit", "cuDeviceGet", "cuModuleLoadData", "cuFuncSetAttribute",
                                  "cuLaunchKernel", "cuCtxPushCurrent"])
def test_errors_name_the_call(cuda, call):
    cuda.failing = call
    with pytest.raises(RuntimeError, match=f"^{call}: CUDA_ERROR_OUT_OF_MEMORY"):
        launch.Driver().prepared(VARIANT, (1, 1, 1), ARGUMENTS, 0)(0, 1, 2)
    assert cuda.stack == [0]


def test_devices(cuda):
    driver = launch.Driver()
    assert driver.device(0) == launch.Device("GPU", (9, 0), 132, 1 << 20, 227 << 10)
    assert driver.device_of(4096) == 3
    cuda.capability = (7, 5)
    with pytest.raises(RuntimeError, match=r"GPU 1 \(GPU\) has compute capability 7.5; 8.0 is the oldest"):
        driver.device(1)


def test_threads_do_not_mix_arguments(cuda):
    """Those of one call at the same time: none waits for another, each has memory of its own."""
    here, wrong, memory = threading.Barrier(4, timeout=60), [], set()

    def kernel(function, *rest):
        first = [ctypes.c_uint64.from_address(p).value for p in (ctypes.c_uint64 * 5).from_address(rest[-2])]
        here.wait()
        values = (ctypes.c_uint64 * 5).from_address(rest[-2])
        if [ctypes.c_uint64.from_address(p).value for p in values] != first or first[0] != first[4]:
            wrong.append(first)
        memory.add(rest[-2])
        here.wait()

    cuda._cuLaunchKernel = kernel
    cuda._cuCtxGetCurrent = lambda: 100
    prepared = launch.Driver().prepared(VARIANT, (1, 1, 1), ARGUMENTS, 0)

    def work(i):
        for n in range(100):
            prepared(0, i + 4 * n, i + 4 * n)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(memory) == 4


@pytest.mark.parametrize("variant", [
    families._exact_variant("float32", False), families._halves_variant("float16", False, True),
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
