"""Fast linear algebra you can trust: products whose bits never change.

`matmul` and `linear` are compiled functions; everything else is imported when it is first used, so that
``import fastla`` costs little and starts nothing.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from ._core import PackedMatrix, gemm, gram, linear, matmul, pack

if TYPE_CHECKING:
    from . import array_api, cluster, decomposition, flops, graph, nn, plot, text
    from . import sklearn as sklearn
    from ._config import get_include, show_config
    from ._einsum import einsum, tensordot
    from ._matrices import matrix_power, matrix_transpose, multi_dot
    from ._patch import is_patched, patch_numpy, patch_status, patched, unpatch_numpy
    from ._runtime import (
        KernelRow,
        Roof,
        get_num_threads,
        kernels,
        release_workspace,
        roof,
        set_num_threads,
        threads,
        use_isa,
    )
    from ._selftest import SelfTestReport, SelfTestRow, selftest
    from ._topk import TopK, topk
    from ._vectors import matvec, vecdot, vecmat
    from ._verify import VerificationError
    from .linalg import Plan, call_counts, explain

__version__ = "0.1.0"
contract_version = 1

_LAZY = {
    "KernelRow": "_runtime",
    "Plan": "linalg",
    "Roof": "_runtime",
    "SelfTestReport": "_selftest",
    "SelfTestRow": "_selftest",
    "TopK": "_topk",
    "VerificationError": "_verify",
    "array_api": "array_api",
    "call_counts": "linalg",
    "cluster": "cluster",
    "decomposition": "decomposition",
    "einsum": "_einsum",
    "explain": "linalg",
    "flops": "flops",
    "get_include": "_config",
    "get_num_threads": "_runtime",
    "graph": "graph",
    "is_patched": "_patch",
    "kernels": "_runtime",
    "matrix_power": "_matrices",
    "matrix_transpose": "_matrices",
    "matvec": "_vectors",
    "multi_dot": "_matrices",
    "nn": "nn",
    "patch_numpy": "_patch",
    "patch_status": "_patch",
    "patched": "_patch",
    "plot": "plot",
    "release_workspace": "_runtime",
    "roof": "_runtime",
    "selftest": "_selftest",
    "set_num_threads": "_runtime",
    "show_config": "_config",
    "sklearn": "sklearn",
    "tensordot": "_einsum",
    "text": "text",
    "threads": "_runtime",
    "topk": "_topk",
    "unpatch_numpy": "_patch",
    "use_isa": "_runtime",
    "vecdot": "_vectors",
    "vecmat": "_vectors",
}

__all__ = [
    "KernelRow",
    "PackedMatrix",
    "Plan",
    "Roof",
    "SelfTestReport",
    "SelfTestRow",
    "TopK",
    "VerificationError",
    "array_api",
    "call_counts",
    "cluster",
    "contract_version",
    "decomposition",
    "einsum",
    "explain",
    "flops",
    "gemm",
    "get_include",
    "get_num_threads",
    "gram",
    "graph",
    "is_patched",
    "kernels",
    "linear",
    "matmul",
    "matrix_power",
    "matrix_transpose",
    "matvec",
    "multi_dot",
    "nn",
    "pack",
    "patch_numpy",
    "patch_status",
    "patched",
    "plot",
    "release_workspace",
    "roof",
    "selftest",
    "set_num_threads",
    "show_config",
    "tensordot",
    "text",
    "threads",
    "topk",
    "unpatch_numpy",
    "use_isa",
    "vecdot",
    "vecmat",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        module = importlib.import_module(f".{_LAZY[name]}", __name__)
        value = module if _LAZY[name] == name else getattr(module, name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


# threadpoolctl asks for controllers when it looks at the process, but only of those registered with it.
if "threadpoolctl" in sys.modules:
    importlib.import_module(".interop.threadpoolctl", __name__)
else:
    from . import _on_import

    _on_import.call("threadpoolctl", lambda: importlib.import_module(".interop.threadpoolctl", __name__))

# Under python -m fastla run.
if "FASTLA_RUN" in os.environ:
    importlib.import_module("._run", __name__).patch()
