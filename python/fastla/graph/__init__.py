"""Graphs in compressed form, from arrays and files, at the speed of memory and disk."""

from ._graph import Graph
from ._rmat import rmat

__all__ = ["Graph", "rmat"]
