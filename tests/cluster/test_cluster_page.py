"""docs/cluster.md is true: what it shows runs, and what it links to is there."""

import doctest
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "cluster.md"
if not PAGE.exists():
    pytest.skip("needs the source tree", allow_module_level=True)


def test_page_runs():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried > 10 and not failed


def test_links():
    found = re.findall(r"\]\((?!http)([^)#]+)", PAGE.read_text())
    assert len(found) >= 2
    for link in found:
        assert (PAGE.parent / link).exists(), link
