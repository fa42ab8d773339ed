"""What this installation is and what it found in this process."""

from __future__ import annotations

import os
from typing import Any

from . import __version__, _core, contract_version
from ._runtime import get_num_threads, kernels


def get_include() -> str:
    """Return the folder that a C compiler must search for ``fastla/capi.h``.

    Returns
    -------
    str
        The folder ``include`` of the installed package, for ``-I`` or ``include_directories``.

    See Also
    --------
    numpy.get_include : the same for NumPy's headers.

    Notes
    -----
    Nothing is linked: an extension module calls through a table of functions that it finds when it is
    imported. ``docs/compiled.md`` has a complete one, and what may change between versions.

    Examples
    --------
    >>> import os, fastla
    >>> os.path.basename(fastla.get_include())
    'include'
    """
    return os.path.join(os.path.dirname(_core.__file__), "include")


def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Show versions, CPU, kernels and thread settings.

    Parameters
    ----------
    mode : {'stdout', 'dicts'}, default 'stdout'
        Print, or return a dictionary.

    Returns
    -------
    dict or None

    Raises
    ------
    ValueError
        If mode is unknown.

    Examples
    --------
    >>> import fastla
    >>> fastla.show_config(mode="dicts")["contract version"]
    1
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"show_config: mode is {mode!r}; it must be 'stdout' or 'dicts'")
    cpu = _core.cpu_info()
    config: dict[str, Any] = {
        "fastla": __version__,
        "contract version": contract_version,
        "CPU": {
            "name": cpu["name"],
            "features": cpu["features"].split(),
            "cache bytes": {level: cpu[level] for level in ("l1", "l2", "l3")},
        },
        "kernels": {
            "chosen": next(row.isa for row in kernels() if row.chosen),
            "usable": list(dict.fromkeys(row.isa for row in kernels() if row.usable)),
        },
        "threads": {
            "count": get_num_threads(),
            "affinity": _core.affinity_cpus(),
            "cgroup quota": _core.cgroup_cpus("") or None,
            "environment": {
                name: os.environ[name]
                for name in ("FASTLA_NUM_THREADS", "OMP_NUM_THREADS", "FASTLA_ISA")
                if name in os.environ
            },
        },
        "workspace bytes": _core.workspace_bytes(),
    }
    if cpu["isa_env_error"]:
        config["kernels"]["FASTLA_ISA that cannot be had"] = cpu["isa_env_error"]
    if mode == "dicts":
        return config
    _print(config, 0)
    return None


def _print(tree: dict[str, Any], depth: int) -> None:
    for key, value in tree.items():
        if isinstance(value, dict):
            print(f"{'  ' * depth}{key}:")
            _print(value, depth + 1)
        else:
            text = " ".join(map(str, value)) if isinstance(value, list) else value
            print(f"{'  ' * depth}{key}: {text}")
