"""What Hopper does beside its threads, for the emulator: copies of boxes, barriers that count, products.

A copy arrives at any later time, and until then its place is NaNs. A product reads shared memory when it is
started or when it is waited for, as drawn; until it is waited for its sums are NaNs.
"""

import numpy as np
from blocks import SHARED, Misuse


class Counter:
    """A barrier in shared memory, which others than its maker may only use after a fence."""

    def __init__(self, count, maker):
        self.count = self.left = count
        self.bytes, self.ended = 0, 0
        self.maker, self.shown = maker, False

    def settle(self):
        """Whether the phase has ended by this."""
        if self.left or self.bytes:
            return False
        self.left = self.count
        self.ended += 1
        return True


class Products:
    """Of a warpgroup: those not yet waited for."""

    def __init__(self):
        self.fenced, self.sums, self.totals = False, None, None
        self.open, self.groups = [], []


def counter_of(block, address):
    if address not in block.counters:
        raise Misuse(f"there is no barrier at {address}")
    if not block.counters[address].shown:
        raise Misuse(f"the barrier at {address} is used, but not shown")
    return block.counters[address]


def reached(thread, rank):
    """A block of the cluster; another one than the thread's must be there until the end."""
    block = thread.block.cluster.blocks[rank]
    if block is not thread.block and block.ended:
        raise Misuse(f"block {rank} is reached into by another, and {block.ended} of its threads have ended")
    return block


def settle(block, address):
    if counter_of(block, address).settle():
        block.cluster.wake(("phase", block.rank, address))


def started(block, to, tensor, barrier, place):
    """A copy of a box to a block, whose place is NaNs already; what is returned finishes it."""
    lines, width, (x, y, z) = tensor.box[1], tensor.box[0] * tensor.size, place
    start = to - SHARED
    if to % 1024 or not 0 <= start <= len(block.shared) - lines * width:
        raise Misuse(f"a box of {lines} lines at {to}: outside of shared memory, or no multiple of 1024")
    if min(place) < 0:
        raise Misuse(f"a box at {place}")
    counter_of(block, barrier)
    whole = block.shared[start:start + lines * width].reshape(lines, width)
    whole[...] = 0xFF

    def finish():
        there = max(min(tensor.extents[0] - x, tensor.box[0]), 0) * tensor.size
        for line in range(lines):
            row = np.zeros(width, np.uint8)
            if there and y + line < tensor.extents[1] and z < tensor.extents[2]:
                at = tensor.address + z * tensor.strides[1] + (y + line) * tensor.strides[0]
                row[:there] = block.machine.bytes_at(at + x * tensor.size, there)
            exchange = (to + line * width >> 7) & 7
            whole[line] = row.reshape(8, 16)[np.arange(8) ^ exchange].reshape(-1)
        counter_of(block, barrier).bytes -= lines * width
        settle(block, barrier)

    return finish


class Asynchronous:
    """Of a thread."""

    def make_barrier(self, address, count):
        self.block.shared_bytes(address, 8)
        if address in self.block.counters:
            raise Misuse(f"the barrier at {address} is made twice")
        self.block.counters[address] = Counter(count, self)
        self.let_others()

    def show_barriers(self):
        for counter in self.block.counters.values():
            counter.shown = counter.shown or counter.maker is self

    def arrive(self, address, expected=0, rank=None):
        """At a barrier of this block, or of another one of the cluster."""
        block = self.block if rank is None else reached(self, rank)
        counter = counter_of(block, address)
        counter.bytes += expected
        counter.left -= 1
        if counter.left < 0:
            raise Misuse(f"more threads arrive at the barrier at {address} than it counts")
        settle(block, address)
        self.let_others()

    def expect_bytes(self, address, count):
        self.arrive(address, count)

    def wait_for(self, address, parity):
        counter = counter_of(self.block, address)
        if parity not in (0, 1):
            raise Misuse(f"parity {parity}")
        while counter.ended % 2 == parity:
            self.block.cluster.sleep(("phase", self.block.rank, address))
        self.let_others()

    def wait_for_cluster(self):
        self.block.cluster.all_barrier()

    def copy_box(self, to, tensor, barrier, place, mask=None):
        """To the block's own shared memory, or to that of all blocks whose bits are set."""
        for block in self.block.cluster.blocks:
            if block is self.block if mask is None else mask >> block.rank & 1:
                to_block = reached(self, block.rank)
                self.block.cluster.copies.append(started(to_block, to, tensor, barrier, place))
        self.let_others()

    def shared_elements(self, at, size):
        at = at - SHARED
        if at.min() < 0 or at.max() > len(self.block.shared) - size:
            raise Misuse("an operand outside of shared memory")
        return self.block.shared[at[..., None] + np.arange(size)]

    @property
    def products(self):
        return self.block.products.setdefault(self.index // 128, Products())

    def fence_products(self):
        self.products.fenced = True

    def start_product(self, product, add, sums):
        own = self.products
        if not own.fenced:
            raise Misuse("a product without a fence before it")
        if own.totals is None:
            own.sums, own.totals = sums, [x.copy() for x in sums]
            for x in sums:
                x.view(np.uint8)[...] = 0xFF
        elif any(x is not y for x, y in zip(own.sums, sums, strict=True)):
            raise Misuse("products under way have other sums")
        early = product() if self.block.machine.random.random() < 0.5 else None
        own.open.append((early, product, add))

    def commit_products(self):
        own = self.products
        own.groups.append(own.open)
        own.open, own.fenced = [], False

    def wait_for_products(self, groups):
        own = self.products
        while len(own.groups) > groups:
            for early, product, add in own.groups.pop(0):
                add(own.totals, product() if early is None else early)
        if own.totals is not None and not own.groups and not own.open:
            for x, total in zip(own.sums, own.totals, strict=True):
                x[...] = total
            own.totals = None
