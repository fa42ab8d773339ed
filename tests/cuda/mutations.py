"""Kernels that lack something, so that tests see whether it is missed."""

import ast
import inspect
import textwrap


def _tree(make_kernel):
    return ast.parse(textwrap.dedent(inspect.getsource(make_kernel)))


def _called(node):
    """The name of what a statement calls, if it does nothing else."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ast.unparse(node.value.func).split(".")[-1]
    return None


def calls(make_kernel):
    """Names of what a kernel's statements call, in the order of the source."""
    found = [node for node in ast.walk(_tree(make_kernel)) if _called(node)]
    return [_called(node) for node in sorted(found, key=lambda node: node.lineno)]


class _Without(ast.NodeTransformer):
    """A function of which the call of that number does nothing."""

    def __init__(self, number):
        self.left = number

    def visit_Expr(self, node):
        if _called(node):
            self.left -= 1
            if self.left == -1:
                return ast.copy_location(ast.Pass(), node)
        return node


def without(make_kernel, number):
    """A function that makes kernels, which lack one of the calls."""
    tree = _Without(number).visit(_tree(make_kernel))
    names = dict(make_kernel.__globals__)
    exec(compile(ast.fix_missing_locations(tree), "mutated", "exec"), names)
    return names[make_kernel.__name__]
