"""NumPy's own tests of einsum and the functions around matmul, with fastla's in their place."""

import ast

import numpy as np
import pytest
from upstream import NumPyWith, compiled, source

import fastla

OURS = NumPyWith(einsum=fastla.einsum, tensordot=fastla.tensordot, vecdot=fastla.vecdot,
                 matvec=fastla.matvec, vecmat=fastla.vecmat, matmul=fastla.matmul)
# Others are about axes=, subclasses, and what out= holds after an error in numpy.vecdot's loop of objects.
VECTORS = ("test_vecdot", "test_vecmatvec_identity", "test_vecdot_matvec_vecmat_complex",
           "test_matvec_vecmat_out")


def only(name, *tests):
    """Chooses one class, all of it or those tests, and what a module's tests stand on."""
    def choose(node):
        if isinstance(node, ast.ClassDef) and node.name == name:
            node.body = [n for n in node.body if not tests or getattr(n, "name", None) in tests]
            return node
        helper = isinstance(node, ast.FunctionDef | ast.Assign)
        return node if helper and not getattr(node, "name", "").startswith("test") else None
    return choose


einsum = compiled(source("numpy._core", "test_einsum"), lambda node: node, OURS)
vectors = compiled(source("numpy._core", "test_ufunc"), only("TestUfunc", *VECTORS), OURS)
chains = compiled(source("numpy.linalg", "test_linalg"), only("TestMultiDot"), np, multi_dot=fastla.multi_dot)
powers = compiled(source("numpy.linalg", "test_linalg"), only("TestMatrixPower"), np,
                  matrix_power=fastla.matrix_power)

TestEinsumPath = einsum["TestEinsumPath"]
TestTensordot = compiled(source("numpy._core", "test_numeric"), only("TestTensordot"), OURS)["TestTensordot"]
TestVectors = vectors["TestUfunc"]
TestMatrixPower = powers["TestMatrixPower"]
test_overlap = einsum["test_overlap"]
test_einsum_chunking_precision = einsum["test_einsum_chunking_precision"]


class TestEinsum(einsum["TestEinsum"]):
    def test_einsum_0d_out(self):
        """NumPy with optimize= lets a sum of floats go to integers; without it, and here, casting= must."""
        a, out = np.ones(7), np.array(0)
        with pytest.raises(TypeError, match="'safe'"):
            np.einsum("i,i->", a, a, out=out)
        with pytest.raises(TypeError, match="'safe'"):
            fastla.einsum("i,i->", a, a, out=out, optimize="optimal")
        assert fastla.einsum("i,i->", a, a, out=out, casting="unsafe", optimize="optimal") is out
        assert out == 7


class TestMultiDot(chains["TestMultiDot"]):
    test_dynamic_programming_logic = None  # of a private function


def test_fastla_is_what_they_test():
    assert einsum["np"].einsum is fastla.einsum
    assert vectors["np"].vecdot is fastla.vecdot
    assert chains["multi_dot"] is fastla.multi_dot
    assert powers["matrix_power"] is fastla.matrix_power
    assert all(hasattr(TestVectors, name) for name in VECTORS)
