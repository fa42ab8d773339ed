"""NetworkX's own tests of the functions that fastla takes over, with fastla as their backend."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("networkx", minversion="3.4", reason="needs the extra fastla[graph]")
pytest.importorskip("scipy", reason="NetworkX needs it for PageRank")

# Runs pytest on what is named, and says how often each of our functions was called, and what it raised.
RUN = """
import functools, json, sys
import pytest
from fastla.interop.networkx import FUNCTIONS, Backend

calls = {}

def counted(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        calls[function.__name__] = calls.get(function.__name__, 0) + 1
        return function(*args, **kwargs)
    return staticmethod(call)

for function in FUNCTIONS:
    setattr(Backend, function.__name__, counted(function))
failed = pytest.main(["-q", "-p", "no:cacheprovider", "--pyargs", *sys.argv[1:]])
print("\\n" + json.dumps([int(failed), calls]))
"""
SUITES = {
    "networkx.algorithms.link_analysis": {"pagerank": 10, "hits": 4},
    "networkx.algorithms.centrality.tests.test_eigenvector_centrality": {
        "eigenvector_centrality": 7
    },
    "networkx.algorithms.centrality.tests.test_katz_centrality": {"katz_centrality": 20},
}


@pytest.mark.parametrize("suite", SUITES)
def test_their_tests_pass(suite, tmp_path):
    variables = {"NETWORKX_TEST_BACKEND": "fastla", "NETWORKX_FALLBACK_TO_NX": "True"}
    found = subprocess.run(
        [sys.executable, "-c", RUN, suite],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
        cwd=tmp_path,
    )
    said = found.stdout + found.stderr
    assert found.returncode == 0, said
    failed, calls = json.loads(found.stdout.splitlines()[-1])
    assert not failed, said
    assert "xfailed" not in said
    for name, least in SUITES[suite].items():
        assert calls.get(name, 0) >= least, calls
