"""How many threads: the settings and their order, affinity, threadpoolctl, many Python threads at once."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from process import run_python
from shapes import assert_same_bits, random_matrix

import fastla
from fastla import _core

COUNT = "import fastla; print(fastla.get_num_threads())"
needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity (Linux)")


def planned(**keywords):
    """Threads that a product with enough work for 16 would use."""
    a = np.broadcast_to(np.float32(1), (8192, 8192))
    return fastla.explain(a, a, **keywords).threads


@pytest.mark.parametrize("env,count", [
    ({"FASTLA_NUM_THREADS": "3"}, 3), ({"OMP_NUM_THREADS": "5"}, 5),
    ({"FASTLA_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
    ({"FASTLA_NUM_THREADS": "1", "OMP_NUM_THREADS": "5"}, 1), ({"OMP_NUM_THREADS": "4,2"}, 4),
    ({"FASTLA_NUM_THREADS": "0", "OMP_NUM_THREADS": "5"}, 5),
    ({"FASTLA_NUM_THREADS": "many", "OMP_NUM_THREADS": "5"}, 5),
    ({"FASTLA_NUM_THREADS": "", "OMP_NUM_THREADS": "5"}, 5),
    ({"FASTLA_NUM_THREADS": "-2", "OMP_NUM_THREADS": "5"}, 5),
], ids=str)
def test_environment(env, count):
    assert run_python(COUNT, env=env) == str(count)


def test_default_is_what_the_process_may_use():
    affinity, quota = _core.affinity_cpus(), _core.cgroup_cpus("")
    assert run_python(COUNT) == str(min(affinity, quota) if quota else affinity)


@needs_affinity
def test_affinity_of_one_cpu():
    cpu = min(os.sched_getaffinity(0))
    before_start = run_python(COUNT, prepare=lambda: os.sched_setaffinity(0, {cpu}))
    before_import = run_python(f"import os; os.sched_setaffinity(0, {{{cpu}}}); {COUNT}")
    assert (before_start, before_import) == ("1", "1")


@needs_affinity
def test_a_setting_goes_before_affinity():
    cpu = min(os.sched_getaffinity(0))
    count = run_python(COUNT, env={"FASTLA_NUM_THREADS": "2"},
                       prepare=lambda: os.sched_setaffinity(0, {cpu}))
    assert count == "2"


def test_order_of_the_settings():
    default = fastla.get_num_threads()
    fastla.set_num_threads(5)
    assert (fastla.get_num_threads(), planned()) == (5, 5)
    with fastla.threads(3):
        assert (fastla.get_num_threads(), planned()) == (3, 3)
        assert planned(num_threads=4) == 4
        with fastla.threads(6):
            assert (fastla.get_num_threads(), planned()) == (6, 6)
        fastla.set_num_threads(7)
        assert fastla.get_num_threads() == 3
    assert fastla.get_num_threads() == 7
    fastla.set_num_threads(None)
    assert fastla.get_num_threads() == default


def test_context_ends_with_an_exception():
    default = fastla.get_num_threads()
    with pytest.raises(KeyError), fastla.threads(3), fastla.threads(9):
        raise KeyError
    assert fastla.get_num_threads() == default


def test_one_context_object_may_nest():
    context = fastla.threads(3)
    with context, fastla.threads(5), context:
        assert fastla.get_num_threads() == 3
    assert fastla.get_num_threads() == int(run_python(COUNT))


def test_context_belongs_to_the_thread():
    inside, leave, seen = threading.Event(), threading.Event(), []

    def other():
        with fastla.threads(9):
            seen.append(fastla.get_num_threads())
            inside.set()
            leave.wait(30)

    with fastla.threads(4):
        thread = threading.Thread(target=other)
        thread.start()
        inside.wait(30)
        seen.append(fastla.get_num_threads())
        leave.set()
        thread.join()
    assert seen == [9, 4]


def test_small_products_start_nothing():
    run_python("""
        import os
        import numpy as np
        import fastla
        from fastla import _core

        before = len(os.listdir("/proc/self/task"))
        small, large = np.ones((8, 8)), np.ones((600, 600))
        fastla.matmul(small, small, num_threads=4)
        fastla.matmul(large, large, num_threads=1)
        assert not _core.team_started()
        assert len(os.listdir("/proc/self/task")) == before
        fastla.matmul(large, large, num_threads=4)
        assert _core.team_started()
        assert len(os.listdir("/proc/self/task")) <= before + 3
    """)


LIMITS = """
    {imports}
    import fastla

    def ours():
        found = [p for p in threadpoolctl.threadpool_info() if p["internal_api"] == "fastla"]
        assert len(found) == 1, threadpoolctl.threadpool_info()
        return found[0]

    fastla.set_num_threads(3)
    info = ours()
    assert info["user_api"] == "blas" and info["num_threads"] == 3, info
    assert info["version"] == fastla.__version__, info
    for limits in (1, {{"blas": 1}}):
        with threadpoolctl.threadpool_limits(limits):
            assert fastla.get_num_threads() == 1, limits
        assert fastla.get_num_threads() == 3, limits
    with threadpoolctl.threadpool_limits({{"libscipy_openblas": 1, "openmp": 1}}):
        assert fastla.get_num_threads() == 3
    threadpoolctl.ThreadpoolController().select(internal_api="fastla").limit(limits=2)
    assert fastla.get_num_threads() == 2
    assert threadpoolctl.__spec__.loader is threadpoolctl.__loader__
"""


@pytest.mark.parametrize("imports", ["import fastla, threadpoolctl", "import threadpoolctl, fastla"])
def test_threadpoolctl(imports):
    pytest.importorskip("threadpoolctl")
    run_python(LIMITS.format(imports=imports))


@pytest.mark.parametrize("shape", [(90, 700, 1700), (700, 90, 1700), (300, 300, 1100), (1500, 70, 530),
                                   (40, 40, 5000)], ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "spread", "packed"])
def test_strips_and_steps(dtype, shape, layout):
    """Strips of one thread or of several, late helpers (more threads than cores), many steps of K, totals in
    C or (spread columns) in scratch; every repetition meets in another order."""
    m, n, k = shape
    rng = np.random.default_rng(92)
    a, b = random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype)
    want = fastla.matmul(a, b, num_threads=1)
    right = fastla.pack(b) if layout == "packed" else b
    room = np.empty((m, 2 * n, 2), dtype)
    out = room[:, ::2, 1] if layout == "spread" else None
    for repetition in range(6):
        for count in (2, 3, 4, 7, 16):
            room[...] = -1
            got = fastla.matmul(a, right, out=out, num_threads=count)
            assert_same_bits(got, want, f"{count} threads, repetition {repetition}")
    if out is not None:
        assert (room[:, 1::2] == -1).all() and (room[..., 0] == -1).all()


@pytest.mark.parametrize("shape", [(8, 8, 20000), (1, 1, 900000), (3, 40, 9000), (30, 2, 12345),
                                   (266, 256, 2000), (130, 64, 9000)], ids=str)
@pytest.mark.parametrize("order", ["nn", "nt", "tn", "tt"])
def test_shared_k(isa, dtype, shape, order):
    """C too small to be shared out: threads compute blocks of K, whose sums are still added in order."""
    m, n, k = shape
    if isa == "generic" and m > 100:
        k = 600  # without FMA hardware it is emulated
    rng = np.random.default_rng(93)
    a, b = random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype)
    a[0, k // 2], b[k - 1, n - 1] = np.inf, np.nan
    if order[0] == "t":
        a = np.asfortranarray(a)
    if order[1] == "t":
        b = np.asfortranarray(b)
    bias = random_matrix(rng, n, dtype)
    plain = fastla.matmul(a, b, num_threads=1)
    with_bias = fastla.gemm(a, b, bias=bias, activation="tanh", num_threads=1)
    assert fastla.explain(a, b, num_threads=60).tasks > 1
    for count in (2, 3, 8, 20, 60):
        assert_same_bits(fastla.matmul(a, b, num_threads=count), plain, f"{count} threads")
        got = fastla.gemm(a, b, bias=bias, activation="tanh", num_threads=count)
        assert_same_bits(got, with_bias, f"{count} threads, epilogue")


def test_shared_k_in_rounds():
    """More blocks of K than there is room for at a time."""
    rng = np.random.default_rng(94)
    a, b = rng.standard_normal((8, 700_000)), rng.standard_normal((700_000, 8))
    assert_same_bits(fastla.matmul(a, b, num_threads=3), fastla.matmul(a, b, num_threads=1))


@pytest.mark.parametrize("call_threads", [1, 2, None], ids=str)
def test_sixteen_python_threads(dtype, call_threads):
    rng = np.random.default_rng(91)
    cases = []
    for i in range(16):
        m, k, n = (int(v) for v in rng.integers(1, 260, 3))
        a, b = random_matrix(rng, (m, k), dtype), random_matrix(rng, (k, n), dtype)
        cases.append((a, b, fastla.matmul(a, b), fastla.pack(b) if i % 2 else b))
    start = threading.Barrier(16)

    def work(case):
        a, b, want, weights = case
        start.wait(30)
        for i in range(12):
            with fastla.threads(1 + i % 3):
                right = weights if i % 2 else b
                assert_same_bits(fastla.matmul(a, right, num_threads=call_threads), want, "concurrent")
            if i == 6:
                fastla.release_workspace()
        return True

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, cases))


def test_other_python_threads_run_during_a_product():
    """The GIL is free meanwhile: the main thread counts far beyond what fits before and after."""
    run_python("""
        import threading
        import numpy as np
        import fastla

        a = np.ones((1500, 1500))
        fastla.matmul(a[:9], a, num_threads=1)
        started, done = threading.Event(), threading.Event()

        def product():
            started.set()
            fastla.matmul(a, a, num_threads=1)
            done.set()

        thread = threading.Thread(target=product)
        thread.start()
        started.wait()
        turns = 0
        while not done.is_set():
            turns += 1
        thread.join()
        assert turns > 1000, turns
    """)
