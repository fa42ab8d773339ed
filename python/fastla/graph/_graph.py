"""A graph in compressed form."""

from __future__ import annotations

import os
from typing import Any

from .. import _core
from ._arrays import CompressedGraph
from ._edges import Compressed, compressed, edge_arrays, weight_array
from ._foreign import Foreign, edges_of_csr, edges_of_networkx, edges_of_scipy
from ._store import load, unpack_names


class Graph(CompressedGraph):
    """Nodes 0 to n - 1 and the edges between them, sorted; made once, then only read.

    One is made by `Graph.from_edges` and its neighbours, `read_edgelist` and its, or `Graph.open`. Arrays
    that are given to the class itself are trusted.

    Attributes
    ----------
    n : int
        How many nodes there are.
    indptr, indices : ndarray
        (n + 1,) and (m,): for each node as a target the sources of its edges, increasing:
        ``indices[indptr[i] : indptr[i + 1]]`` point to node i. Both are int32, or int64 where n or m is 2^31
        or more. Of a graph that is not directed each edge is there in both directions, a loop once.
    weight : ndarray or None
        (m,), float64 or float32, of each edge; None: all are 1.
    ids : ndarray or None
        (n,), the nodes' names; None: they have none but their numbers.
    directed : bool
        Whether an edge has a direction.
    mapped : bool
        Whether the arrays lie in a file that was opened.
    number_of_edges : int
        How many edges there are; without directions each counts once.

    Methods
    -------
    from_edges, from_scipy, from_networkx, from_csr
        A graph of what others have.
    save, open
        To a file and back, without reading it.
    edges, to_scipy, out_degree, out_strength
        What is in it.

    Notes
    -----
    Compressed by targets: what a step of PageRank reads of a node are the edges that point to it. Memory is
    4 bytes an edge, 8 from 2^31 on, and its weight; 4 or 8 bytes a node.

    Examples
    --------
    >>> from fastla.graph import Graph
    >>> graph = Graph.from_edges(["ann", "ann", "bob"], ["bob", "cleo", "cleo"])
    >>> graph
    Graph(directed, 3 nodes, 3 edges)
    >>> graph.indptr, graph.indices
    (array([0, 0, 1, 3], dtype=int32), array([0, 0, 1], dtype=int32))
    >>> graph.ids.tolist()
    ['ann', 'bob', 'cleo']
    """

    @classmethod
    def from_edges(
        cls,
        source: Any,
        target: Any,
        *,
        weight: Any = None,
        n: int | None = None,
        directed: bool = True,
        duplicates: str | None = None,
        num_threads: int | None = None,
    ) -> Graph:
        """A graph of edges given by their ends.

        Parameters
        ----------
        source, target : array_like
            (m,) each: nodes' numbers from 0, of any integer dtype or whole floats; or names, texts or any
            hashable objects, which get numbers by first appearance, a source before its target.
        weight : array_like, optional
            (m,), finite and not negative; float32 stays so, other numbers become float64. All are 1 unless
            given.
        n : int, optional
            How many nodes there are, below 2^32; as many as the largest number asks for unless given.
        directed : bool
            Whether an edge has a direction; otherwise each is put in both ways.
        duplicates : {"sum", "keep", "first", "last", "max", "min", "error"}, optional
            What becomes of several edges from one node to the same other. "sum": one of the sum of their
            weights, or, where there are none, weighing as many as they are. "keep": they all stay. "first",
            "last", "max", "min": that one stays. Unless given, "sum" with weights and "first" without.
        num_threads : int, optional
            How many threads to use; the graph does not depend on it.

        Returns
        -------
        Graph
            Its edges sorted by target and source.

        Raises
        ------
        ValueError
            If lengths differ, a number is no node or a weight negative or not finite, which the message
            quotes with its place, or an edge is there twice where duplicates is "error".
        TypeError
            If there are no nodes or weights of that dtype.

        Notes
        -----
        A radix sort by target and source, in linear time. Beside the arrays given and the result there are
        8 bytes an edge, 16 with weights. Sums are those of float64, in the order of the edges.

        The rule for duplicates is what most data mean: without weights an edge is there or not, as in
        NetworkX's DiGraph, and the graph stays without weights; weights are amounts, and add up, as in SciPy
        (a DiGraph would keep the last).

        Examples
        --------
        >>> from fastla.graph import Graph
        >>> Graph.from_edges([0, 0, 2], [1, 1, 0], weight=[0.5, 0.25, 1.0]).weight
        array([1.  , 0.75])
        """
        a, b, ids = edge_arrays("from_edges", source, target)
        if ids is not None:
            if n is not None and n != len(ids):
                raise ValueError(f"from_edges: n is {n}; source and target name {len(ids)} nodes")
            n = len(ids)
        w = weight_array("from_edges", weight, len(a))
        made = compressed("from_edges", a, b, w, n, directed, duplicates, num_threads)
        return cls(*made, ids=ids, directed=directed)

    @classmethod
    def _from_foreign(cls, function: str, edges: Foreign, num_threads: int | None) -> Graph:
        a, b, _ = edge_arrays(function, edges.source, edges.target)
        w = weight_array(function, edges.weight, len(a))
        made = compressed(function, a, b, w, edges.n, edges.directed, "sum", num_threads)
        return cls(*made, ids=edges.ids, directed=edges.directed)

    @classmethod
    def from_scipy(cls, a: Any, *, directed: bool = True, num_threads: int | None = None) -> Graph:
        """A graph by its adjacency matrix: entry [i, j] is the weight of the edge from i to j.

        Parameters
        ----------
        a : sparse matrix
            (n, n), of SciPy's or anything with ``tocoo``. Stored zeros are edges of weight 0.
        directed : bool
            Whether edges have directions; if not, the matrix must be symmetric.
        num_threads : int, optional
            How many threads to use.

        Returns
        -------
        Graph
            Duplicates added up. Without weights where all are 1.

        Raises
        ------
        ValueError
            If the matrix is not square, not symmetric where it must be, or has a weight that is none.
        TypeError
            If `a` is no sparse matrix.

        Examples
        --------
        >>> import scipy.sparse
        >>> from fastla.graph import Graph
        >>> Graph.from_scipy(scipy.sparse.csr_array([[0, 2.0], [0, 0]])).edges()
        (array([0], dtype=int32), array([1], dtype=int32), array([2.]))
        """
        return cls._from_foreign("from_scipy", edges_of_scipy(a, directed), num_threads)

    @classmethod
    def from_csr(
        cls, indptr: Any, indices: Any, weight: Any = None, *, num_threads: int | None = None
    ) -> Graph:
        """A graph by compressed rows of its adjacency matrix, each row a source.

        Parameters
        ----------
        indptr, indices : array_like
            (n + 1,) and (m,), integers: the edges from node i go to ``indices[indptr[i] : indptr[i + 1]]``.
        weight : array_like, optional
            (m,), finite and not negative.
        num_threads : int, optional
            How many threads to use.

        Returns
        -------
        Graph
            Duplicates added up.

        Raises
        ------
        ValueError
            If the arrays make no square matrix.

        Examples
        --------
        >>> from fastla.graph import Graph
        >>> Graph.from_csr([0, 2, 2, 2], [1, 2])
        Graph(directed, 3 nodes, 2 edges)
        """
        return cls._from_foreign("from_csr", edges_of_csr(indptr, indices, weight), num_threads)

    @classmethod
    def from_networkx(
        cls, graph: Any, weight: str | None = "weight", *, num_threads: int | None = None
    ) -> Graph:
        """A graph of NetworkX's.

        Parameters
        ----------
        graph : networkx.Graph, DiGraph, MultiGraph or MultiDiGraph
            Nodes keep their order.
        weight : str, optional
            The attribute of edges that is their weight; 1 where it is missing. None: there are no weights.
        num_threads : int, optional
            How many threads to use.

        Returns
        -------
        Graph
            Edges between the same nodes added up.

        Raises
        ------
        ValueError
            If a weight is no number, negative or not finite.

        Examples
        --------
        >>> import networkx
        >>> from fastla.graph import Graph
        >>> Graph.from_networkx(networkx.karate_club_graph())
        Graph(undirected, 34 nodes, 78 edges, float64 weights)
        """
        return cls._from_foreign("from_networkx", edges_of_networkx(graph, weight), num_threads)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, verify: bool = False) -> Graph:
        """A graph that `save` has written; the file is mapped, not read.

        Parameters
        ----------
        path : str or path-like
            The file; it must stay as it is while the graph is in use.
        verify : bool
            Whether all of it is read to see that it is what was written. Do so with files of others.

        Returns
        -------
        Graph
            Its arrays cannot be written to.

        Raises
        ------
        ValueError
            If the file is none of ours, of another version, truncated or corrupt.

        Examples
        --------
        >>> import os, tempfile
        >>> from fastla.graph import Graph
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = os.path.join(folder.name, "small.graph")
        >>> Graph.from_edges([0, 1], [1, 2]).save(path)
        >>> Graph.open(path)
        Graph(directed, 3 nodes, 2 edges)
        >>> folder.cleanup()
        """
        stored = load(path, verify)
        arrays = stored.arrays
        made = Compressed(arrays["indptr"], arrays["indices"], arrays.get("weight"))
        if verify:
            _core.csr_check(made.indptr, made.indices, (len(made.indptr) - 1,) * 2)
        names = (lambda: unpack_names(arrays)) if "id_ends" in arrays else None
        graph = cls(*made, ids=names, directed=stored.directed)
        graph._file, graph._checks = stored.file, stored.checks
        return graph
