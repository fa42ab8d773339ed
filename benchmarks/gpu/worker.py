"""The process that has the device. A hang or a crash costs this process and its step, nothing else."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.gpu.cells import Cell

PR_SET_PDEATHSIG = 1  # linux/prctl.h
START_SECONDS = 90.0  # libraries are imported, and the device starts


@dataclass(frozen=True)
class Outcome:
    """status: ok, failed (an exception), crashed, hung, or late: the run's time was up."""

    status: str
    data: dict[str, Any]
    at: str = ""  # what the step was at
    said: str = ""


def work(bench: Any, kind: str, cell: Cell, avoid: list[str], tell: Callable[[str], None]) -> dict[str, Any]:
    from benchmarks.gpu.check import check
    from benchmarks.gpu.measure import WORK

    return {**WORK, "check": check}[kind](bench, cell, avoid, tell)


def serve(connection: Connection, backend: str, facts: dict[str, Any], log: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    if sys.platform == "linux":  # a process that hangs would outlive a killed parent
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)

    def tell(what: str) -> None:
        connection.send(("at", what))

    bench = None
    with contextlib.suppress(EOFError):
        while True:
            kind, cell, avoid = connection.recv()
            try:
                if bench is None:
                    bench = importlib.import_module(backend).open_bench(facts)
                    tell("")
                connection.send(("ok", work(bench, kind, cell, avoid, tell)))
            except Exception as error:
                traceback.print_exc()
                connection.send(("failed", f"{type(error).__name__}: {error}"))


class Worker:
    """The parent's side. Replaced by a new process after everything but "ok"."""

    def __init__(self, backend: str, facts: dict[str, Any], log: Path) -> None:
        self.arguments = (backend, facts, str(log))
        self.process: Any = None
        self.connection: Any = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, *self.arguments), daemon=True)
        self.process.start()
        theirs.close()

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join(10)  # one that the driver holds is left to it
            self.process = None

    def do(self, kind: str, cell: Cell, avoid: list[str], limit: float, left: float) -> Outcome:
        """Each thing that the step tells of may take `limit` seconds, all together `left`."""
        end, started = time.monotonic() + left, self.process is not None
        if not started:
            self._start()
        at = "start"
        try:
            self.connection.send((kind, cell, avoid))
            deadline = time.monotonic() + (limit if started else max(limit, START_SECONDS))
            while self.connection.poll(max(0.0, min(deadline, end) - time.monotonic())):
                status, value = self.connection.recv()
                if status == "ok":
                    return Outcome("ok", value)
                if status == "failed":
                    self.close()
                    return Outcome("failed", {}, at, value)
                at, deadline = value, time.monotonic() + limit
        except (EOFError, ConnectionError):
            self.process.join()
            code = self.process.exitcode
            self.close()
            return Outcome("crashed", {}, at, f"exit status {code}")
        except BaseException:  # Ctrl-C in the middle of a message
            self.close()
            raise
        self.close()
        if time.monotonic() >= end:
            return Outcome("late", {}, at)
        return Outcome("hung", {}, at, f"no sign of life for {limit:.0f} s")
