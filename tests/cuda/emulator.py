"""Runs CUDA kernels on the CPU: the same source, its instructions replaced by their models (fastla.cuda.ptx).

Every thread of a block is a greenlet. Which one goes on is drawn anew at each access to shared memory (or
less often: `switching`): a missing barrier shows. Copies that are under way make their destination NaNs.
Addresses are numbers: what lies outside of an array, or is not aligned as the instruction wants it, is an
error, and so is a barrier that not all threads of the block come to.
"""

import collections.abc
import ctypes
import functools
import random
import types

import fused
import numba.cuda
import numpy as np
from asynchronous import Asynchronous
from blocks import SHARED, Block, Cluster, Misuse

import fastla.cuda.ptx as ptx


class Thread(Asynchronous):
    """What models see of the thread that executes them."""

    def __init__(self, block, index):
        self.block, self.index = block, index
        self.pending, self.groups = [], []

    def let_others(self):
        self.block.cluster.let_others()

    def shared_address(self, array):
        return SHARED

    def read_shared(self, address, size):
        return self.block.shared_bytes(address, size)

    def copy_later(self, to, start, size, count):
        if size not in (4, 8, 16) or not 0 <= count <= size:
            raise Misuse(f"a copy of {count} of {size} bytes")
        place = self.block.shared_bytes(to, size)
        if start % size:
            raise Misuse(f"thread {self.index} copies {size} bytes from {start}, not aligned")
        data = np.zeros(size, np.uint8)
        if count:
            data[:count] = self.block.machine.bytes_at(start, count)
        self.let_others()
        place[:] = 0xFF
        self.pending.append((place, data))

    def commit(self):
        self.groups.append(self.pending)
        self.pending = []

    def wait(self, groups):
        while len(self.groups) > groups:
            for place, data in self.groups.pop(0):
                place[:] = data
        self.let_others()

    def warp(self, model, *args):
        self.together(32, model, args)

    def warpgroup(self, model, *args):
        self.together(128, model, args)

    def together(self, count, model, args):
        """The model is executed when so many lanes have come, with lists of their arguments."""
        lanes = self.block.rank, count, self.index // count
        here = self.block.lanes.setdefault(lanes, [])
        if any(other.__code__ is not model.__code__ for _, other, _ in here):
            raise Misuse(f"the {count} lanes from {lanes[2] * count} on are at different instructions")
        here.append((self, model, args))
        if len(here) < count:
            self.block.cluster.sleep(lanes)
            return
        del self.block.lanes[lanes]
        here.sort(key=lambda entry: entry[0].index)
        model([thread for thread, _, _ in here], *map(list, zip(*(args for _, _, args in here), strict=True)))
        self.block.cluster.wake(lanes)

    def product(self, a, b):
        return a @ b

    def multiply_add(self, sums, left, right, rows, cols):
        fused.multiply_add()[sums.itemsize](sums.pointer, left.pointer, right.pointer, rows, cols)

    def fma(self, x, y, z):
        return type(x)(fused.fma()[type(x)](x, y, z))

    def write_shared(self, address, values):
        self.block.shared_bytes(address, values.nbytes)[:] = values.view(np.uint8)

    def read_global(self, address, dtype):
        return self.block.machine.bytes_at(address, dtype.itemsize).view(dtype)[0]

    def write_global(self, address, value):
        self.block.machine.bytes_at(address, value.itemsize).view(value.dtype)[0] = value

    def move(self, to, start, size):
        if to % size or start % size:
            raise Misuse(f"{size} bytes go from {start} to {to}, not aligned")
        memory = self.block.machine.bytes_at
        memory(to, size)[:] = memory(start, size)

    def write_vector(self, address, values):
        if address % values.nbytes:
            raise Misuse(f"thread {self.index} writes {values.nbytes} bytes to {address}, not aligned")
        self.block.machine.bytes_at(address, values.nbytes).view(values.dtype)[:] = values


class Machine:
    """Global memory, and blocks of threads one after the other."""

    def __init__(self, seed=0, switching=0.0):
        self.random, self.switching = random.Random(seed), switching
        self.arrays, self.next = [], 1 << 32

    def add(self, array):
        """The address of an array's first element, aligned like its own; all of its memory is there."""
        low, high = np.lib.array_utils.byte_bounds(array)
        base = self.next + low % 256
        owner = (ctypes.c_uint8 * (high - low)).from_address(low) if high > low else b""
        self.arrays.append((base, base + high - low, np.frombuffer(owner, np.uint8), array))
        self.next = (base + high - low + 4096) & -256
        return base + array.ctypes.data - low

    def bytes_at(self, address, size):
        address &= (1 << 64) - 1  # Python's integers have no end
        for begin, end, data, _ in self.arrays:
            if begin <= address and address + size <= end:
                return data[address - begin:address - begin + size]
        raise Misuse(f"{size} bytes of global memory at {address} are in no array")

    @np.errstate(all="ignore")
    def launch(self, kernel, grid, threads, shared_bytes, args, cluster=1):
        """If there are more args than the kernel has, its last one is a tuple of those left: an epilogue."""
        count = kernel.__code__.co_argcount
        if len(args) > count:
            args = (*args[:count - 1], tuple(args[count - 1:]))
        for z in range(grid[2]):
            for y in range(grid[1]):
                for x in range(0, grid[0], cluster):
                    blocks = [Block(self, (x + i, y, z), grid, i, shared_bytes) for i in range(cluster)]
                    for block in blocks:
                        block.threads = [Thread(block, i) for i in range(threads)]
                    Cluster(self, blocks).run([on_the_cpu(kernel, block) for block in blocks], args)


class Registers(np.ndarray):
    """A local array, of NaNs or the largest integers to begin with."""

    @classmethod
    def of(cls, count, dtype):
        made = np.empty(count, dtype.dtype if isinstance(dtype, _Whole) else dtype).view(cls)
        made.view(np.uint8)[:] = 0xFF
        made.pointer = made.ctypes.data
        return made


class _Cuda:
    """Of numba.cuda what kernels use."""

    def __init__(self, block):
        self._block = block
        self.blockIdx, self.gridDim = (types.SimpleNamespace(**dict(zip("xyz", place, strict=True)))
                                       for place in (block.index, block.grid))
        self.local = self.shared = types.SimpleNamespace(array=Registers.of)
        self.syncthreads = block.barrier

    @property
    def threadIdx(self):
        return types.SimpleNamespace(x=self._block.current.index, y=0, z=0)


class _Whole:
    """Numba's integer types as functions."""

    def __init__(self, name):
        self.dtype = np.dtype(name)

    def __call__(self, x):
        bits = 8 * self.dtype.itemsize
        x = int(x) & ((1 << bits) - 1)
        return x - (1 << bits) if self.dtype.kind == "i" and x >> (bits - 1) else x


# Instead of Numba's types, which convert numbers in kernels.
NUMBERS = {getattr(numba.cuda, name): _Whole(name) for name in ("int32", "int64", "uint32", "uint64")}
NUMBERS |= {numba.cuda.float32: np.float32, numba.cuda.float64: np.float64}


def on_the_cpu(function, block):
    """The function, and those that it calls, with models in the place of instructions."""

    def replaced(name, value):
        if name == "cuda":
            return _Cuda(block)
        if hasattr(value, "py_func"):
            return on_the_cpu(value.py_func, block)
        if isinstance(value, collections.abc.Hashable):
            if value in ptx.MODELS:
                return functools.partial(_executed, block, ptx.MODELS[value])
            return NUMBERS.get(value, value)
        return value

    code = function.__code__
    names = {name: replaced(name, function.__globals__[name]) for name in code.co_names
             if name in function.__globals__}
    cells = tuple(types.CellType(replaced(name, cell.cell_contents))
                  for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True))
    return types.FunctionType(code, {"__builtins__": __builtins__, **names}, function.__name__,
                              function.__defaults__, cells)


def _executed(block, model, *args):
    return model(block.current, *args)
