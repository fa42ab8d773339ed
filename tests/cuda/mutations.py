"""Kernels that lack something, so that tests see whether it is missed."""

import ast
import inspect
import textwrap


class _Without(ast.NodeTransformer):
    """A function of which every call of that name does nothing."""

    def __init__(self, name):
        self.name, self.found = name, 0

    def visit_Expr(self, node):
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func).endswith(self.name):
            self.found += 1
            return ast.copy_location(ast.Pass(), node)
        return node


def without(make_kernel, name):
    """A function that makes kernels, which lack an instruction."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(make_kernel)))
    lacking = _Without(name)
    code = compile(ast.fix_missing_locations(lacking.visit(tree)), "mutated", "exec")
    assert lacking.found
    names = dict(make_kernel.__globals__)
    exec(code, names)
    return names[make_kernel.__name__]
