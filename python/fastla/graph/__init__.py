"""Graphs in compressed form, from arrays and files, at the speed of memory and disk."""

from .._not_converged import NotConverged
from ._build_file import build_file
from ._graph import Graph
from ._pagerank import pagerank
from ._rank_result import PageRankResult
from ._read_tables import read_csv, read_parquet
from ._read_text import edgelist_chunks, read_edgelist, read_mtx
from ._rmat import rmat

__all__ = [
    "Graph",
    "NotConverged",
    "PageRankResult",
    "build_file",
    "edgelist_chunks",
    "pagerank",
    "read_csv",
    "read_edgelist",
    "read_mtx",
    "read_parquet",
    "rmat",
]
