"""A process per contender, stopped while it is not its turn.

A BLAS keeps its idle threads spinning for the next call: OpenBLAS about 0.1 s, libgomp some
milliseconds. With several libraries in one process the spinners of one take the cores from the
next: at 512^3 on 2 threads of 2 cores, every library lost a factor of 2 to 8. SIGSTOP freezes all
threads of a contender, and SIGCONT lets it go on as if its last call had just ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.check import Check
from benchmarks.rivals import Call, Contender, Fastla, make
from benchmarks.shapes import Cell, allocate, fill_normal
from benchmarks.timer import LONG_CALL, Sample, batch_size, time_batch, warm_up

LEAST_ROOF_SECONDS, MOST_ROOF_SECONDS = 0.008, 0.25  # a sample of the roof in each round
ROOF_AFTER_SECONDS = 0.001  # shorter than a CPU takes to raise its clock again
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def roof_seconds(call: float) -> float:
    """As long as a long call, within bounds: what interrupts one interrupts the other as often."""
    return min(max(call, LEAST_ROOF_SECONDS), MOST_ROOF_SECONDS)


class Missing(Exception):
    """The contender is not installed here, or cannot be used."""


class Served:
    """The worker's side: one contender and the cell it is at."""

    def __init__(self, name: str) -> None:
        self.contender: Contender = make(name)
        self.call: Call | None = None
        self.cell: Cell | None = None
        self.batch, self.long, self.roof_seconds = 1, False, LEAST_ROOF_SECONDS

    def describe(self) -> dict[str, Any]:
        return self.contender.describe()

    def prepare(self, cell: Cell, seed: int) -> tuple[int, str] | None:
        """Checks the answer; gives the batch size and the plan, None if it cannot take part."""
        self.call = None
        gc.collect()
        if not self.contender.set_threads(cell.threads):
            return None
        problem, rng = allocate(cell), np.random.default_rng(seed)
        check = Check(problem, rng)
        call = self.contender.prepare(problem)
        if call is None:
            return None
        check.poison()
        start = time.perf_counter()
        returned = call()
        first = time.perf_counter() - start
        result = problem.out if self.contender.writes_out else np.asarray(returned)
        check.verify(self.contender.name, result)
        fill_normal(problem, rng)
        self.call, self.cell = self.contender.prepare(problem), cell
        assert self.call is not None
        self.batch = batch_size(self.call, first)
        self.long = first >= LONG_CALL and self.batch == 1
        self.roof_seconds = roof_seconds(first if self.long else 0.0)
        return self.batch, self.contender.path(problem)

    def sample(self) -> Sample:
        assert self.call is not None and self.cell is not None
        roof = after = None
        if isinstance(self.contender, Fastla):
            roof = self.contender.roof(self.cell.dtype, self.cell.threads, self.roof_seconds)
        if not self.long:
            warm_up(self.call, self.cell.threads)
        seconds = time_batch(self.call, self.batch)
        if isinstance(self.contender, Fastla):
            after = self.contender.roof(self.cell.dtype, self.cell.threads, ROOF_AFTER_SECONDS)
        return Sample(seconds, roof, after)

    def roofs(self, threads: int) -> dict[str, float]:
        assert isinstance(self.contender, Fastla)
        return self.contender.roofs(threads)


def serve(connection: Connection, name: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent decides what Ctrl-C means
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":  # a stopped process would outlive a killed parent for ever
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    served: Served | None = None
    with contextlib.suppress(EOFError):
        while True:
            method, arguments = connection.recv()
            try:
                if served is None:
                    served = Served(name)
                connection.send(getattr(served, method)(*arguments))
            except (ImportError, OSError, AttributeError) as error:
                connection.send(Missing(str(error)) if served is None else error)
            except Exception as error:  # goes on in the parent
                connection.send(error)


class Worker:
    """The parent's side. Its process runs only while a request is under way."""

    def __init__(self, name: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, name), daemon=True)
        self.process.start()
        theirs.close()
        self.name = name

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        if not hasattr(signal, "SIGSTOP") or self.process.pid is None:
            yield
            return
        os.kill(self.process.pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGSTOP)

    def ask(self, method: str, *arguments: Any) -> Any:
        with self._running():
            self.connection.send((method, arguments))
            answer = self.connection.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sample(self) -> Sample:
        answer = self.ask("sample")
        assert isinstance(answer, Sample)
        return answer

    def close(self) -> None:
        self.process.kill()  # reaches a stopped process, too
        self.process.join()
