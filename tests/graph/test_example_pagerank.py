"""examples/pagerank_web.py: what it prints is true, of random links and of a packed text; it draws."""

import gzip
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from fastla.graph import Graph, rmat
from tests.graph.walks import exact_ranks

FILE = Path(__file__).parents[2] / "examples" / "pagerank_web.py"
if not FILE.exists():
    pytest.skip("needs the source tree", allow_module_level=True)
matplotlib = pytest.importorskip("matplotlib", reason="needs the extra fastla[plot]")
matplotlib.use("Agg")


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    def call(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["pagerank_web.py", *map(str, arguments)])
        spec = importlib.util.spec_from_file_location("pagerank_web", FILE)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.main()
        return capsys.readouterr().out

    return call


def assert_true(said, graph, tmp_path):
    exact = exact_ranks(graph)
    order = np.argsort(-exact)
    places = re.findall(r"^ +(\d+)\. page (\d+), (\S+)$", said, re.M)
    assert len(places) >= 5
    for place, page, rank in places:
        assert int(page) == order[int(place) - 1] and float(rank) == pytest.approx(exact[int(page)], 1e-4)
    (bound,) = re.findall(r"off by (\S+) at most", said)
    assert 0 < float(bound) <= 1e-8
    assert matplotlib.image.imread(tmp_path / "pagerank_web.png").std() > 0.05


def test_random_links(run, tmp_path):
    graph = Graph.from_edges(*rmat(9, 8), n=512)
    said = run("--scale", 9, "--factor", 8)
    assert said.startswith("built rmat9x8.graph: ")
    assert f"Graph(directed, 512 nodes, {graph.number_of_edges} edges)" in said
    assert_true(said, graph, tmp_path)
    again = run("--scale", 9, "--factor", 8)
    assert again.startswith("rmat9x8.graph is there already")
    assert_true(again, graph, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pagerank_web.png", "rmat9x8.graph"]


def test_a_packed_text(run, tmp_path):
    source, target = rmat(8, 6, seed=1)
    with gzip.open(tmp_path / "web.txt.gz", "wt") as file:
        file.write("# Nodes: 256\n" + "".join(f"{s}\t{t}\n" for s, t in zip(source, target, strict=True)))
    assert_true(run("web.txt.gz"), Graph.from_edges(source, target), tmp_path)
