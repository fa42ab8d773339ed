"""Graphs in compressed form, from arrays and files, at the speed of memory and disk."""

from .._not_converged import NotConverged
from ._graph import Graph
from ._pagerank import pagerank
from ._rank_result import PageRankResult
from ._read_tables import read_csv, read_parquet
from ._read_text import read_edgelist, read_mtx
from ._rmat import rmat

__all__ = [
    "Graph",
    "NotConverged",
    "PageRankResult",
    "pagerank",
    "read_csv",
    "read_edgelist",
    "read_mtx",
    "read_parquet",
    "rmat",
]
