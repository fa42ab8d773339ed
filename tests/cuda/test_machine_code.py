"""The machine code of all kernels: in registers, with the instructions that it should have."""

import json

import pytest

for needed in ("numba.cuda.compiler", "cuda.bindings", "nvidia.cu13"):
    pytest.importorskip(needed, reason="needs fastla[cuda] and the tools of the CUDA toolkit")

import machine_code  # noqa: E402

from fastla.cuda import families  # noqa: E402

SHARED = {(8, 0): 163 << 10, (9, 0): 227 << 10}


def test_few_kernels():
    names = [variant.name for variant, _ in families.shipped()]
    assert len(names) == len(set(names)) <= 60


def test_they_fit():
    for variant, capability in machine_code.shipped():
        assert variant.shared_bytes <= SHARED[capability] and variant.threads % 32 == 0, variant


def test_the_table():
    """As it was written (python tests/cuda/machine_code.py) with the same toolkit; and nothing is in local
    memory, or has more registers than there are."""
    seen, wanted = machine_code.table(), json.loads(machine_code.TABLE.read_text())
    threads = {variant.name: variant.threads for variant, _ in families.shipped()}
    for name, line in seen.items():
        assert line["stack"] == 0 and not {"LDL", "STL"} & set(line), (name, line)
        assert line["registers"] * threads[name.rpartition(" ")[0]] <= 65536, (name, line)
    for name, line in seen.items():
        family = name.split()[0]
        tensor = {"hopper": ("HGMMA", "IGMMA", "QGMMA"), "halves": ("HMMA",), "doubles": ("DMMA",)}
        tensor = tensor.get(family, ())
        assert not tensor or any(line.get(one, 0) for one in tensor), (name, line)
        assert family != "hopper" or (line["USETMAXREG"] == 2 and line["UTMALDG"]), (name, line)
    assert seen == wanted
