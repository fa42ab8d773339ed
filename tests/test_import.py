"""What ``import fastla`` costs: no thread, no heavy module, little time, nothing printed."""

import os
import sys

import pytest
from process import run_python

import fastla


def test_starts_no_thread_and_holds_no_memory():
    run_python("""
        import os
        import numpy

        tasks = set(os.listdir("/proc/self/task"))
        import fastla
        fastla.get_num_threads(), fastla.kernels(), fastla.set_num_threads(4)
        assert set(os.listdir("/proc/self/task")) == tasks
        assert not fastla._core.team_started()
        assert fastla._core.workspace_bytes() == 0
    """)


def test_imports_little():
    """Only modules of fastla and what Python had at hand: no threadpoolctl, ctypes, multiprocessing."""
    names = run_python("""
        import sys
        import numpy

        before = set(sys.modules)
        import fastla
        print(*sorted(set(sys.modules) - before))
    """).split()
    foreign = [name for name in names if name.partition(".")[0] != "fastla"]
    outside = [name for name in foreign if name.partition(".")[0] not in sys.stdlib_module_names]
    assert not outside
    heavy = {"ctypes", "multiprocessing", "concurrent", "asyncio", "subprocess", "unittest", "inspect"}
    assert not heavy & {name.partition(".")[0] for name in foreign}
    assert "fastla.linalg" not in names, "the lazy part was imported"


def test_prints_nothing():
    assert run_python("import fastla", env={"PYTHONWARNINGS": "error"}) == ""


def test_costs_little_beyond_numpy(record_property):
    """Processor time, the best of several processes, so that a busy machine does not count."""
    seconds = [float(run_python("""
        import time
        import numpy

        start = time.process_time()
        import fastla
        print(time.process_time() - start)
    """)) for _ in range(7)]
    record_property("import_ms", 1000 * min(seconds))
    print(f"import fastla after numpy: {1000 * min(seconds):.1f} ms")
    assert min(seconds) < 0.050


def test_public_names():
    assert set(fastla.__all__) <= set(dir(fastla))
    for name in fastla.__all__:
        assert getattr(fastla, name) is not None
    scope = {}
    exec("from fastla import *", scope)
    assert set(fastla.__all__) <= set(scope)
    with pytest.raises(AttributeError, match="no_such_name"):
        fastla.no_such_name  # noqa: B018


def test_version_is_that_of_the_distribution():
    from importlib.metadata import version
    assert fastla.__version__ == version("fastla")
    assert fastla.contract_version == 1


def test_imported_by_a_thread_that_ends():
    """Imported first in a thread that ends, used in another."""
    run_python("""
        import threading

        def load():
            import fastla
            import numpy as np
            assert (fastla.matmul(np.ones((300, 300)), np.ones((300, 300)), num_threads=2) == 300).all()

        for _ in range(2):
            thread = threading.Thread(target=load)
            thread.start()
            thread.join()
        load()
    """)


def test_command_line():
    done = run_python("""
        import runpy, sys
        sys.argv = ["fastla", "info"]
        try:
            runpy.run_module("fastla", run_name="__main__")
        except SystemExit as end:
            assert end.code == 0
    """)
    assert fastla.__version__ in done and os.linesep in done
