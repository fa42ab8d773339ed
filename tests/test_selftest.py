"""selftest: tests all kernels of this CPU, leaves the process as it was, and sees what is wrong."""

import numpy as np
import pytest

import fastla
from fastla import _selftest
from fastla.cli import main


def chosen():
    return [row for row in fastla.kernels() if row.chosen]


def test_every_usable_row_is_tested():
    before, seen = chosen(), []
    report = fastla.selftest(seed=3, progress=seen.append)
    assert report.ok, str(report)
    usable = [(row.isa, row.dtype) for row in fastla.kernels() if row.usable]
    assert sorted((row.isa, row.dtype) for row in report.rows) == sorted(usable)
    assert [(row.isa, row.dtype) for row in report.rows] == [(row.isa, row.dtype) for row in seen]
    assert all(row.cases > 100 and row.seconds > 0 and not row.first for row in report.rows)
    assert report.seed == 3 and report.contract_version == fastla.contract_version
    assert chosen() == before


def test_a_forced_row_is_in_force_again():
    with fastla.use_isa("generic"):
        before = chosen()
        with pytest.raises(RuntimeError, match="enough"):
            fastla.selftest(progress=lambda row: (_ for _ in ()).throw(RuntimeError("enough")))
        assert chosen() == before


@pytest.fixture
def wrong_for_float64(monkeypatch):
    right = _selftest._reference

    def reference(a, b, dtype):
        c = right(a, b, dtype)
        if dtype == np.float64 and a.shape[1] == 513:
            c[0, 0] = np.nextafter(c[0, 0], 9)
        return c

    monkeypatch.setattr(_selftest, "_reference", reference)


def test_a_mismatch_is_reported(wrong_for_float64, capsys):
    report = fastla.selftest(seed=4)
    assert not report.ok
    for row in report.rows:
        assert (row.mismatches > 0) == (row.dtype == "float64") == ("x 513, path" in row.first)
    assert "NOT as contract version 1 says; seed 4" in str(report)
    assert main(["selftest", "--seed", "4"]) == 1
    assert "NOT" in capsys.readouterr().out


def test_the_command_line(capsys):
    assert main(["selftest", "--seed", "5"]) == 0
    out = capsys.readouterr().out
    assert "all as contract version 1 says; seed 5" in out
    assert "float16" in out and "int8,uint8->int32" in out


def test_a_seed_of_its_own():
    assert fastla.selftest().seed != fastla.selftest().seed
    with pytest.raises(ValueError, match="seed is -1"):
        fastla.selftest(seed=-1)
