"""threadpoolctl sees fastla as a BLAS, so that scikit-learn and others can limit its threads."""

from __future__ import annotations

import threadpoolctl  # type: ignore[import-untyped]

from .. import __version__


class FastlaController(threadpoolctl.LibController):  # type: ignore[misc]
    """Controller of fastla's threads, found by two symbols that only its module exports."""

    user_api = "blas"
    internal_api = "fastla"
    filename_prefixes = ("_core",)
    check_symbols = ("fastla_threads_get", "fastla_threads_set")

    def get_num_threads(self) -> int:
        return int(self.dynlib.fastla_threads_get())

    def set_num_threads(self, num_threads: int) -> None:
        self.dynlib.fastla_threads_set(int(num_threads))

    def get_version(self) -> str:
        return __version__


threadpoolctl.register(FastlaController)
