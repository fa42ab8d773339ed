"""Which plan a product on a GPU gets: a pure function of what is asked for and of the device.

A family of kernels is a function of both that yields plans (families.py). Of all plans the one of the
fewest cycles by a simple model (problem.py) is taken, unless the table of what was measured (cache.py) names
another.
"""

from __future__ import annotations

from . import cache
from .copies import Layout
from .families import FAMILIES
from .launch import Device
from .problem import NO_STEPS, Desc, Plan, Steps

__all__ = ["Desc", "Device", "Layout", "Plan", "Steps", "candidates", "choose"]


def candidates(desc: Desc, device: Device) -> tuple[Plan, ...]:
    """All plans of a product that is not empty, the best by the model first."""
    found = (plan for family in FAMILIES.values() for plan in family(desc, device))
    fitting = (plan for plan in found if plan.variant.shared_bytes <= device.shared_bytes)
    plans = tuple(sorted(fitting, key=lambda plan: plan.cycles))
    if not plans:
        steps = "" if desc.steps == NO_STEPS else f" with {desc.steps}"
        raise TypeError(f"no kernel computes products of {desc.kind}{steps} on {device.name}")
    return plans


def choose(desc: Desc, device: Device) -> Plan:
    """The plan that was measured to be the fastest, else the best by the model."""
    found = candidates(desc, device)
    name = cache.tuned(device.name, desc.key)
    return next((plan for plan in found if plan.name == name), found[0])
