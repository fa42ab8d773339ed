"""Products beside one busy process, and from many Python threads: python -m benchmarks.neighbour

A busy neighbour keeps one core. A join that waits for a helper which does not get that core makes two threads
slower than one; the figures are ratios to the same product on one thread of a quiet machine.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

import fastla

# Float32 products of about so long on one thread, and a chain of shorter ones.
SIZES = (0.1e-3, 1e-3, 10e-3)
CHAIN, CHAIN_TIME = 200, 50e-6
CALLERS, CALLS = 16, 40


def spin(cpu: int) -> None:
    os.sched_setaffinity(0, {cpu})
    while True:
        pass


@contextmanager
def busy_neighbour(cpu: int | None = None) -> Iterator[int]:
    """The process's number; by default it has the last CPU."""
    cpu = max(os.sched_getaffinity(0)) if cpu is None else cpu
    process = multiprocessing.get_context("fork").Process(target=spin, args=(cpu,), daemon=True)
    process.start()
    time.sleep(0.2)
    assert process.pid is not None
    try:
        yield process.pid
    finally:
        process.kill()
        process.join()


def times(run: Callable[[], object], seconds: float, least: int = 10) -> list[float]:
    found: list[float] = []
    end = time.perf_counter() + seconds
    while len(found) < least or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return found


def product(seconds: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A square product that takes about so long on one thread."""
    rng = np.random.default_rng(5)
    flops = fastla.roof(1, seconds=0.05).flops["float32"]
    n = round((seconds * 0.8 * flops / 2) ** (1 / 3))
    x = rng.standard_normal((n, n), dtype=np.float32)
    return x, x.copy()


def chain(x: NDArray[np.float32], y: NDArray[np.float32], threads: int, length: int) -> Callable[[], None]:
    out = np.empty_like(x)

    def run() -> None:
        for _ in range(length):
            fastla.matmul(x, y, out=out, num_threads=threads)

    return run


def compare(label: str, x: NDArray[np.float32], y: NDArray[np.float32], length: int, bar: float) -> None:
    threads = fastla.get_num_threads()
    alone, shared = chain(x, y, 1, length), chain(x, y, threads, length)
    alone(), shared()
    one = statistics.median(times(alone, 1))
    quiet = statistics.mean(times(shared, 1))
    with busy_neighbour():
        beside = times(shared, 4)
    mean, worst = statistics.mean(beside), float(np.percentile(beside, 99))
    print(
        f"{label:<28} one thread {1e3 * one:8.3f} ms; {threads} threads quiet {quiet / one:5.2f}, "
        f"beside a busy process {mean / one:5.2f} (99%: {worst / one:5.2f}), bar {bar}",
        flush=True,
    )


def callers() -> None:
    """Many Python threads with products of their own against the same work one after the other."""
    rng = np.random.default_rng(6)
    x = [rng.standard_normal((256, 256), dtype=np.float32) for _ in range(CALLERS)]

    def work(i: int) -> None:
        for _ in range(CALLS):
            fastla.matmul(x[i], x[i])

    def together() -> None:
        team = [threading.Thread(target=work, args=(i,)) for i in range(CALLERS)]
        for thread in team:
            thread.start()
        for thread in team:
            thread.join()

    def in_sequence() -> None:
        for i in range(CALLERS):
            work(i)

    in_sequence(), together()
    ratios = [times(together, 0, 1)[0] / times(in_sequence, 0, 1)[0] for _ in range(15)]
    print(
        f"{CALLERS} Python threads, {CALLS} products of 256^3 each: {statistics.median(ratios):.2f} "
        f"of the same work in sequence, bar 1.2"
    )


def main() -> None:
    for seconds in SIZES:
        compare(f"product of {1e3 * seconds:g} ms", *product(seconds), 1, 1.2)
    compare(f"{CHAIN} products of {1e6 * CHAIN_TIME:g} us", *product(CHAIN_TIME), CHAIN, 1.3)
    callers()


if __name__ == "__main__":
    main()
