"""fork: a child computes, with threads of its own, whatever the parent's threads were doing."""

import os

import numpy as np
import pytest
from process import run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

# A child that hangs is killed after GIVE_UP seconds and counted; its time is only reported.
COMMON = """
    import os, signal, sys, threading, time
    import numpy as np
    import fastla
    from fastla import _core

    GIVE_UP = 20.0
    rng = np.random.default_rng(0)
    a = rng.standard_normal((400, 400))
    want = fastla.matmul(a, a, num_threads=2)
    assert _core.team_started()

    def right():
        return np.array_equal(fastla.matmul(a, a, num_threads=2), want)

    def child_runs(work):
        '''Seconds until the child of a fork has ended well, or None.'''
        start = time.monotonic()
        pid = os.fork()
        if pid == 0:
            status = 3
            try:
                status = 0 if work() else 1
            finally:
                os._exit(status)
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            seconds = time.monotonic() - start
            if done:
                assert status == 0, f"child: {status}"
                return seconds
            if seconds > GIVE_UP:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return None
            time.sleep(0.0005)

    def report(times):
        assert None not in times, f"{times.count(None)} of {len(times)} children hung"
        print(f"{len(times)} children, {sum(t < 1 for t in times)} in under 1 s, slowest {max(times):.3f} s")
"""


def run(body, record_property, **keywords):
    said = run_python(COMMON + body, timeout=300, **keywords)
    record_property("children", said)
    print(said)
    return said


def test_a_hundred_children(record_property):
    run("""
    times = []
    for _ in range(100):
        times.append(child_runs(right))
        assert right()  # the parent's team is still there
    report(times)
    """, record_property)


def test_children_of_children(record_property):
    run("""
    def parent_in_turn():
        return right() and child_runs(right) is not None and right()

    report([child_runs(parent_in_turn) for _ in range(10)])
    """, record_property)


@pytest.mark.parametrize("threads", [1, 2])
def test_while_other_threads_are_in_a_product(record_property, threads):
    run(f"""
    stop = threading.Event()
    wrong = []

    def busy():
        while not stop.is_set():
            if not np.array_equal(fastla.matmul(a, a, num_threads={threads}), want):
                wrong.append(1)

    def child():
        packed = fastla.pack(a)
        return right() and np.array_equal(fastla.matmul(a, packed, num_threads=2), want)

    others = [threading.Thread(target=busy) for _ in range(3)]
    for thread in others:
        thread.start()
    try:
        times = [child_runs(child) for _ in range(40)]
    finally:
        stop.set()
        for thread in others:
            thread.join()
    assert not wrong
    report(times)
    """, record_property)


def test_packed_matrices_and_workspace_go_along(record_property):
    run("""
    packed = fastla.pack(a)
    fastla.matmul(a, packed, num_threads=2)

    def child():
        ok = np.array_equal(fastla.matmul(a, packed, num_threads=2), want)
        fastla.release_workspace()
        fastla.set_num_threads(3)
        return ok and _core.workspace_bytes() == 0 and right() and fastla.get_num_threads() == 3

    report([child_runs(child) for _ in range(10)])
    assert fastla.get_num_threads() != 3 or "FASTLA_NUM_THREADS" in os.environ
    """, record_property, env={"FASTLA_NUM_THREADS": "2"})


POOL = COMMON + """
    import multiprocessing

    def square(seed):
        x = np.random.default_rng(seed).standard_normal((300, 300))
        return fastla.matmul(x, x, num_threads=2)

    context = multiprocessing.get_context("fork")
    expected = [square(seed) for seed in range(6)]
    signal.alarm(120)
    for _ in range(3):
        with context.Pool(2) as pool:
            results = pool.map(square, range(6))
        assert all(np.array_equal(r, e) for r, e in zip(results, expected))
    process = context.Process(target=square, args=(1,))  # ends by sys.exit, with all its handlers
    process.start()
    process.join(60)
    assert process.exitcode == 0, process.exitcode
"""


def test_multiprocessing():
    run_python(POOL, timeout=200)


def test_fork_before_the_first_product():
    run_python("""
        import os
        import numpy as np
        import fastla

        pid = os.fork()
        x = np.ones((400, 400))
        ok = (fastla.matmul(x, x, num_threads=2) == 400).all()
        if pid == 0:
            os._exit(0 if ok else 1)
        assert ok and os.waitpid(pid, 0)[1] == 0
    """, timeout=60)


def test_fork_in_the_process_of_the_tests():
    """Once here, too, where pytest and other tests have left their marks."""
    import fastla

    x = np.ones((300, 300))
    fastla.matmul(x, x, num_threads=2)
    pid = os.fork()
    if pid == 0:
        import signal
        signal.alarm(20)
        status = 1
        try:
            status = 0 if (fastla.matmul(x, x, num_threads=2) == 300).all() else 1
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
