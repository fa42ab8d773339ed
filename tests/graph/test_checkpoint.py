"""A call that was killed goes on where it was, and ends with the bits that it would have had."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from fastla.graph import Graph, NotConverged, pagerank, rmat


def made(weighted=False):
    source, target = rmat(9, 6, seed=2)
    weight = 1.0 + source % 3 if weighted else None
    return Graph.from_edges(source, target, weight=weight, n=512)


def same(one, other):
    assert one.ranks.tobytes() == other.ranks.tobytes()
    assert one.residuals.tobytes() == other.residuals.tobytes()
    assert np.array_equal(one.bound, other.bound) and np.array_equal(one.iterations, other.iterations)


class Stopped(Exception):
    pass


def interrupted(graph, step, **given):
    """As if killed: nothing is written once the exception is on its way."""

    def stop(steps, residuals):
        if steps == step:
            raise Stopped

    with pytest.raises(Stopped):
        pagerank(graph, callback=stop, checkpoint_every=0, **given)


@pytest.mark.parametrize("method", ["power", "extrapolated", "gauss_seidel"])
@pytest.mark.parametrize("columns", [None, 1, 5])
@pytest.mark.parametrize("where", ["memory", "file"])
def test_goes_on_with_the_same_bits(tmp_path, method, columns, where):
    graph, path = made(weighted=columns == 5), tmp_path / "state"
    if where == "file":
        graph.save(tmp_path / "graph")
        graph = Graph.open(tmp_path / "graph")
    jump = None
    if columns:
        jump = np.random.default_rng(0).random((512, columns)) ** 20
        jump[:, 1:2] = 1  # not done when others are
    given = {"alpha": 0.95, "method": method, "personalization": jump}
    whole = pagerank(graph, **given)
    steps = int(np.max(whole.iterations))
    for at in {2, 8, 9, steps // 2, steps - 1}:
        interrupted(graph, at, checkpoint=path, **given)
        assert path.exists()
        seen = []
        again = pagerank(graph, checkpoint=path, callback=lambda s, r, seen=seen: seen.append(s), **given)
        same(again, whole)
        assert seen == list(range(at, steps + 1))  # the step that was not finished, and those after it
        assert not path.exists()


def test_kill_9(tmp_path):
    graph, path = made(), str(tmp_path / "state")
    graph.save(tmp_path / "graph")
    code = f"""
        import os, signal
        from fastla.graph import Graph, pagerank

        def die(steps, residuals):
            if steps == 20:
                os.kill(os.getpid(), signal.SIGKILL)

        pagerank(Graph.open({str(tmp_path / "graph")!r}), checkpoint={path!r}, alpha=0.97, checkpoint_every=0,
                 callback=die)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert os.path.exists(path)
    (tmp_path / "state.part").write_bytes(b"half of a state")  # killed while it was written
    seen = []
    again = pagerank(graph, checkpoint=path, alpha=0.97, callback=lambda s, r: seen.append(s))
    same(again, pagerank(graph, alpha=0.97))
    assert seen[0] == 20
    assert sorted(os.listdir(tmp_path)) == ["graph"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"alpha": 0.8}, "alpha is 0.9 there and 0.8 here"),
        ({"tol": 1e-6}, "tol is 1e-08 there and 1e-06 here"),
        ({"max_iter": 50}, "max_iter is"),
        ({"method": "gauss_seidel"}, "method is power there and gauss_seidel here"),
        ({"dtype": "float32", "tol": 1e-8 * 1000}, "dtype is float64 there and float32 here"),
        ({"personalization": {3: 1}}, "personalization is None there and"),
        ({"dangling": {3: 1}}, "dangling is None there and"),
        ({"nstart": {3: 1}}, "nstart is None there and"),
        ({"weight": False}, "weight is True there and False here"),
    ],
)
def test_other_arguments_are_refused(tmp_path, change, message):
    path = tmp_path / "state"
    given = {"alpha": 0.9, "checkpoint": path}
    interrupted(made(), 9, **given)
    with pytest.raises(ValueError, match=rf"checkpoint .*state is of another call: .*{message}"):
        pagerank(made(), **(given | change))
    assert path.exists()


def test_other_graphs_and_files_are_refused(tmp_path):
    path = tmp_path / "state"
    interrupted(made(), 9, checkpoint=path)
    with pytest.raises(ValueError, match=r"of another call: graph is Graph\(directed, 512 nodes"):
        pagerank(made(weighted=True), checkpoint=path)
    data = path.read_bytes()
    for damaged in (data[: len(data) // 2], b"", data[:2000] + b"x" + data[2001:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is no checkpoint or corrupt"):
            pagerank(made(), checkpoint=path)
    path.write_bytes(data)
    same(pagerank(made(), checkpoint=path), pagerank(made()))
    with pytest.raises(ValueError, match="checkpoint_every is -1"):
        pagerank(made(), checkpoint=path, checkpoint_every=-1)


def test_written_only_now_and_then_and_gone_in_the_end(tmp_path):
    path = tmp_path / "state"
    seen = []
    pagerank(made(), checkpoint=path, callback=lambda s, r: seen.append(path.exists()))
    assert not any(seen) and not path.exists()
    with pytest.raises(NotConverged):
        pagerank(made(), checkpoint=path, checkpoint_every=0, max_iter=3)
    assert not path.exists()
