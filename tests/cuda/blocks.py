"""Blocks of threads and clusters of them, for the emulator: whose turn it is, and what is shared.

A thread is a greenlet that gives its turn away by `let_others`, or sleeps until a key is woken.
"""

import collections
import contextvars

import greenlet
import numpy as np

SHARED = 1024  # where dynamic shared memory begins


class Misuse(Exception):
    """Something that hardware would not do, or not always."""


class Block:
    def __init__(self, machine, index, grid, rank, shared_bytes):
        self.machine, self.index, self.grid, self.rank = machine, index, grid, rank
        self.shared = np.full(shared_bytes, 0xFF, np.uint8)
        self.current, self.threads, self.cluster = None, [], None
        self.lanes, self.counters, self.products = {}, {}, {}
        self.ended = 0  # threads

    def shared_bytes(self, address, size):
        at = address - SHARED
        if at % size or not 0 <= at <= len(self.shared) - size:
            raise Misuse(f"{size} bytes of shared memory at {address}, which begins at {SHARED}")
        return self.shared[at:at + size]

    def barrier(self):
        self.cluster.barrier(("barrier", self.rank), len(self.threads))


class Cluster:
    """Blocks that run at the same time."""

    def __init__(self, machine, blocks):
        self.machine, self.blocks = machine, blocks
        self.copies, self.woken, self.there = [], [], collections.Counter()
        self.arriving = machine.random.choice((0.1, 0.001))  # how likely a copy is to arrive at any time
        for block in blocks:
            block.cluster = self

    def let_others(self):
        if self.machine.random.random() < self.machine.switching:
            self.scheduler.switch("ready")

    def sleep(self, key):
        self.scheduler.switch(key)

    def wake(self, key):
        self.woken.append(key)

    def barrier(self, key, count):
        """Sleeps until so many threads are there."""
        self.there[key] += 1
        if self.there[key] < count:
            self.sleep(key)
        else:
            del self.there[key]
            self.wake(key)

    def all_barrier(self):
        self.barrier("cluster", sum(len(block.threads) for block in self.blocks))

    def copy_some(self, anyway):
        """One of the copies under way may arrive."""
        if self.copies and (anyway or self.machine.random.random() < self.arriving):
            self.copies.pop(self.machine.random.randrange(len(self.copies)))()

    def awake(self, asleep):
        """Those who need not sleep any longer."""
        keys, self.woken = self.woken, []
        return [sleeper for key in keys for sleeper in asleep.pop(key, [])]

    def run(self, kernels, args):
        """A kernel for each block."""
        self.scheduler = greenlet.getcurrent()
        ready = [(thread, greenlet.greenlet(kernel))
                 for block, kernel in zip(self.blocks, kernels, strict=True) for thread in block.threads]
        for _, code in ready:
            code.gr_context = contextvars.copy_context()  # NumPy's settings for errors
        asleep = {}
        while ready:
            at = self.machine.random.randrange(len(ready)) if self.machine.switching else -1
            thread, code = ready.pop(at)
            thread.block.current = thread
            state = code.switch() if code else code.switch(*args)
            ready += self.awake(asleep)  # before it sleeps itself, perhaps where the others did
            if state == "ready":
                ready.append((thread, code))
            elif code.dead:
                thread.block.ended += 1
            else:
                asleep.setdefault(state, []).append((thread, code))
            self.copy_some(anyway=False)
            ready += self.awake(asleep)
            while self.copies and not ready:
                self.copy_some(anyway=True)
                ready += self.awake(asleep)
        if asleep:
            waiting = {key: len(sleepers) for key, sleepers in asleep.items()}
            raise Misuse(f"threads wait for what does not come: {waiting}")
