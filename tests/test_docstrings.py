"""Every public name has a numpydoc docstring that names its parameters and whose example runs."""

import doctest
import inspect
import re

import pytest

import fastla

MODULES = {"": fastla, "cluster.": fastla.cluster, "decomposition.": fastla.decomposition,
           "flops.": fastla.flops, "graph.": fastla.graph, "nn.": fastla.nn, "plot.": fastla.plot,
           "text.": fastla.text}
OBJECTS = {prefix + name: getattr(module, name) for prefix, module in MODULES.items()
           for name in module.__all__ if callable(getattr(module, name))}
FUNCTIONS = [n for n, o in OBJECTS.items() if not inspect.isclass(o) or n in ("threads", "use_isa")]


def sections(doc):
    """{title: text} of a numpydoc docstring; "" holds the summary. A leading signature is dropped."""
    text = re.sub(r"\A\w+\(.*\)( -> .*)?\n+", "", inspect.cleandoc(doc))
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", text, flags=re.M)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def parameters(function):
    """Names of the parameters, by the signature that help() shows."""
    try:
        found = inspect.signature(function).parameters.values()
    except ValueError:  # pybind11 writes it into the docstring
        line = inspect.cleandoc(function.__doc__).partition("\n")[0]
        return re.findall(r"(\w+)(?:: [^,)]*)?(?: = [^,)]*)?[,)]", line)
    return [p.name for p in found if p.name != "self" and p.kind is not p.VAR_KEYWORD]


def test_the_module_says_what_it_is():
    assert fastla.__doc__.strip()


@pytest.mark.parametrize("name", OBJECTS)
def test_summary_is_one_sentence(name):
    summary = sections(OBJECTS[name].__doc__)[""].strip().partition("\n\n")[0]
    assert summary.endswith("."), summary
    assert len(summary) <= 120


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_are_described(name):
    found = sections(OBJECTS[name].__doc__)
    listed = [n for line in re.findall(r"^(\S.*?) : ", found.get("Parameters", ""), re.M)
              for n in line.replace("*", "").split(", ")]
    wanted = parameters(OBJECTS[name])
    assert [n for n in listed if n in wanted] == [n for n in wanted if n in listed], "order"
    assert set(wanted) <= set(listed), set(wanted) - set(listed)
    assert set(listed) - set(wanted) <= {"kwargs"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_result_is_described(name):
    silent = {"set_num_threads", "release_workspace", "threads", "use_isa", "patch_numpy", "patched",
              "unpatch_numpy", "nn.load_parameters", "nn.save_parameters"}
    assert ("Returns" in sections(OBJECTS[name].__doc__)) == (name not in silent)


@pytest.mark.parametrize("name", ["KernelRow", "PackedMatrix", "Plan", "Roof", "TopK", "cluster.KMeansResult",
                                  "cluster.NeighborGraph", "cluster.NormalizedLaplacian",
                                  "cluster.SpectralClusteringResult", "cluster.SpectralEmbedding",
                                  "decomposition.LowRank",
                                  "decomposition.WhitenResult", "flops.Cost", "flops.Roof", "flops.Time",
                                  "flops.Transformer", "graph.Graph", "graph.PageRankResult", "nn.SGD",
                                  "nn.Adam", "nn.AdamW",
                                  "nn.EarlyStopping", "nn.History", "nn.Layer", "plot.ComponentsDisplay",
                                  "plot.ProjectionDisplay", "plot.ScreeDisplay", "text.LSAResult",
                                  "text.TfidfResult"])
def test_attributes_are_described(name):
    found = sections(OBJECTS[name].__doc__)
    listed = found["Attributes"] + found.get("Methods", "")
    public = [n for n in dir(OBJECTS[name]) if not n.startswith("_")]
    public += [n for n in getattr(OBJECTS[name], "__dataclass_fields__", {})]
    for attribute in public:
        assert re.search(rf"\b{attribute}\b", listed), attribute


@pytest.mark.parametrize("name", ["matmul", "linear", "gemm", "einsum", "tensordot", "vecdot", "matvec",
                                  "vecmat", "multi_dot"])
def test_products_state_cost_and_guarantee(name):
    found = sections(OBJECTS[name].__doc__)
    assert "operations" in found["Notes"]
    assert {"Raises", "Notes"} <= set(found)


@pytest.mark.parametrize("name", OBJECTS)
def test_example_runs(name):
    doc = OBJECTS[name].__doc__
    assert ">>>" in sections(doc).get("Examples", ""), "no example"
    test = doctest.DocTestParser().get_doctest(doc, {}, name, f"fastla.{name}", 0)
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)
