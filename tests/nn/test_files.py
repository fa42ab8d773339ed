"""Files of parameters: whole or not at all, and what does not fit."""

import doctest
import os
import pathlib
import sys

import ml_dtypes
import numpy as np
import pytest

from fastla import nn
from fastla.nn import _files


@pytest.fixture(params=["npz", "safetensors"])
def path(request, tmp_path):
    if request.param == "safetensors":
        pytest.importorskip("safetensors", reason="needs the extra fastla[nn]")
    return tmp_path / f"model.{request.param}"


def model_of(seed):
    return nn.Sequential(nn.MLP((3, 4, 2), rng=seed), nn.LayerNorm(2))


def test_there_and_back(path):
    one, other = model_of(0), model_of(1)
    arrays = dict(other.parameters)
    one.parameters["1.weight"][...] = [np.nan, -0.0]
    nn.save_parameters(one, path)
    nn.load_parameters(other, path)
    for name, x in one.parameters.items():
        assert other.parameters[name] is arrays[name]
        assert other.parameters[name].tobytes() == x.tobytes()


def test_layouts_and_shapes(path):
    arrays = {"turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "scalar": np.array(3),
              "none": np.zeros((0, 2), np.float32), "a.b": np.arange(8)[::2]}
    _files.write("test", path, arrays, "text äöü")
    found, text = _files.read("test", path)
    assert text == "text äöü"
    assert found.keys() == arrays.keys()
    for name, x in arrays.items():
        assert found[name].dtype == x.dtype
        assert np.array_equal(found[name], x)


def test_files_of_others(path):
    model = nn.Linear(2, 3)
    theirs = {"weight": np.ones((3, 2)), "bias": np.zeros(3)}
    if path.suffix == ".npz":
        np.savez(path, **theirs)
    else:
        from safetensors.numpy import save_file
        save_file(theirs, path)
    nn.load_parameters(model, path)
    assert (model.parameters["weight"] == 1).all()


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    nn.save_parameters(model_of(0), path)
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left")

    for what in ("fsync", "replace"):
        with monkeypatch.context() as m:
            m.setattr(os, what, full)
            with pytest.raises(OSError, match="no space"):
                nn.save_parameters(model_of(1), path)
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]


def test_what_does_not_fit_changes_nothing(path):
    nn.save_parameters(model_of(0), path)
    other = nn.Sequential(nn.MLP((3, 5, 2), rng=1), nn.LayerNorm(2))
    copies = {name: x.copy() for name, x in other.parameters.items()}
    with pytest.raises(ValueError, match=r"0\.0\.weight is \(4, 3\); the model's is \(5, 3\)"):
        nn.load_parameters(other, path)
    with pytest.raises(ValueError, match=r"missing are \['weight'\], unexpected are \['0\.0\.bias'"):
        nn.load_parameters(nn.RMSNorm(3), path)
    assert all(np.array_equal(x, copies[name]) for name, x in other.parameters.items())


def test_names_and_dtypes(tmp_path):
    model = nn.Linear(2, 3)
    with pytest.raises(ValueError, match=r"model\.pt"):
        nn.save_parameters(model, tmp_path / "model.pt")
    model.parameters["weight"] = model.parameters["weight"].astype(ml_dtypes.bfloat16)
    with pytest.raises(TypeError, match=r"weight is bfloat16, \(3, 2\)"):
        nn.save_parameters(model, tmp_path / "model.npz")


def test_the_extra_is_named(tmp_path, monkeypatch):
    for name in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"safetensors.*pip install .fastla\[nn\]"):
        nn.save_parameters(nn.Linear(2, 3), tmp_path / "model.safetensors")


def test_the_page_runs():
    page = pathlib.Path(__file__).parents[2] / "docs" / "nn.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert failed == 0
    assert tried > 40
    assert len(page.read_text().splitlines()) <= 120
