"""Arrays against pages without any access: what strays ends the process. For tests' child processes."""

import ctypes
import mmap

import numpy as np

page = mmap.PAGESIZE
mprotect = ctypes.CDLL(None, use_errno=True).mprotect
mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
held = []  # the memory of all arrays; clear it when they are gone


def guarded(shape, dtype, at_end):
    """An array that ends, or begins, where a page without any access begins, or ends."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = -(-size // page) * page
    area = mmap.mmap(-1, room + 2 * page)
    held.append(area)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    for guard in (start, start + page + room):
        assert mprotect(guard, page, 0) == 0, ctypes.get_errno()
    offset = page + (room - size if at_end else 0)
    return np.frombuffer(area, dtype, int(np.prod(shape)), offset).reshape(shape)
