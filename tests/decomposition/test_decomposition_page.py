"""docs/decomposition.md is true: what it shows runs, and what it links to is there."""

import doctest
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "decomposition.md"
if not PAGE.exists():
    pytest.skip("needs the source tree", allow_module_level=True)


def test_page_runs():
    matplotlib = pytest.importorskip("matplotlib", reason="needs the extra fastla[plot]")
    pytest.importorskip("scipy", reason="needs the extra fastla[text]")
    matplotlib.use("Agg")
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    matplotlib.pyplot.close("all")
    assert tried > 30 and not failed


def test_links():
    found = re.findall(r"\]\((?!http)([^)#]+)", PAGE.read_text())
    assert len(found) >= 5
    for link in found:
        assert (PAGE.parent / link).exists(), link
