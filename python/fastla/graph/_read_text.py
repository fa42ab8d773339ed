"""Graphs from lists of edges and from Matrix Market files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ._edges import compressed, nodes_given
from ._graph import Graph
from ._lines import LineFile
from ._named import parse_named
from ._parse import Format, parse, parse_in_chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_edgelist(
    path: str | os.PathLike[str],
    *,
    comments: str = "#",
    delimiter: str | None = None,
    weight: bool | int = False,
    n: int | None = None,
    directed: bool = True,
    ids: str = "int",
    duplicates: str | None = None,
    num_threads: int | None = None,
    progress: bool = False,
) -> Graph:
    """A graph from a text of one edge a line, as the SNAP collection has it.

    Parameters
    ----------
    path : str or path-like
        A file, plain or gzip-compressed, which its first bytes say.
    comments : str
        Lines that begin so are passed over; at most 8 bytes.
    delimiter : str, optional
        The one character between columns; blanks, and one comma among them, unless given.
    weight : bool or int
        The column of weights, counted from 0: True is 2, the third. What else a line has is passed over.
    n : int, optional
        How many nodes there are; as many as the largest number asks for unless given.
    directed : bool
        Whether an edge has a direction; otherwise each line stands for both.
    ids : {"int", "str"}
        "int": columns hold the nodes' numbers, from 0. "str": they hold names, which get numbers by first
        appearance.
    duplicates : str, optional
        As in `Graph.from_edges`.
    num_threads : int, optional
        How many threads to use; the graph does not depend on it.
    progress : bool
        Whether it is shown on stderr how far the reading is.

    Returns
    -------
    Graph
        Its nodes are numbered as in the file.

    Raises
    ------
    ValueError
        If a line is no edge, which the message quotes with its number, or a compressed file is not whole.

    Notes
    -----
    The file is read in pieces of 16 MiB: there is no more memory than those, the edges as numbers, and what
    `Graph.from_edges` takes. An interrupt from the keyboard is heard between pieces. Names are read
    by Python, some million lines a second.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastla.graph import read_edgelist
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "edges.txt")
    ...     with open(path, "w") as file:
    ...         _ = file.write("# from to\\n0 1\\n0 2\\n2 1\\n")
    ...     read_edgelist(path)
    Graph(directed, 3 nodes, 3 edges)
    """
    if ids not in ("int", "str"):
        raise ValueError(f"read_edgelist: ids is {ids!r}; it must be 'int' or 'str'")
    form = _format("read_edgelist", comments, delimiter, weight, n)
    names: NDArray[Any] | None = None
    with LineFile("read_edgelist", path, progress) as file:
        if ids == "str":
            edges, names = parse_named(file, form)
            if n is not None and n != len(names):
                raise ValueError(f"read_edgelist: n is {n}; {file.path} names {len(names)} nodes")
            n = len(names)
        else:
            edges = parse(file, form, 0, num_threads)
    made = compressed("read_edgelist", *edges, n, directed, duplicates, num_threads)
    return Graph(*made, ids=names, directed=directed)


def edgelist_chunks(
    path: str | os.PathLike[str],
    *,
    comments: str = "#",
    delimiter: str | None = None,
    weight: bool | int = False,
    num_threads: int | None = None,
    progress: bool = False,
) -> Iterator[tuple[NDArray[Any], ...]]:
    """Edges of a text of one a line, some at a time: for `build_file`, where they do not fit in memory.

    Parameters
    ----------
    path : str or path-like
        A file, plain or gzip-compressed, of nodes' numbers; as in `read_edgelist`.
    comments : str
        Lines that begin so are passed over; at most 8 bytes.
    delimiter : str, optional
        The one character between columns; blanks, and one comma among them, unless given.
    weight : bool or int
        The column of weights, counted from 0: True is 2, the third.
    num_threads : int, optional
        How many threads to use.
    progress : bool
        Whether it is shown on stderr how far the reading is.

    Returns
    -------
    iterator of tuple of ndarray
        (source, target), or (source, target, weight), of each 16 MiB of text.

    Raises
    ------
    ValueError
        If a line is no edge, which the message quotes with its number, or a compressed file is not whole.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastla.graph import edgelist_chunks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "edges.txt")
    ...     with open(path, "w") as file:
    ...         _ = file.write("0 1\\n0 2\\n")
    ...     list(edgelist_chunks(path))
    [(array([0, 0], dtype=int32), array([1, 2], dtype=int32))]
    """
    form = _format("edgelist_chunks", comments, delimiter, weight, None)

    def chunks() -> Iterator[tuple[NDArray[Any], ...]]:
        with LineFile("edgelist_chunks", path, progress) as file:
            for edges in parse_in_chunks(file, form, num_threads):
                yield tuple(x for x in edges if x is not None)

    return chunks()


def read_mtx(
    path: str | os.PathLike[str],
    *,
    duplicates: str | None = None,
    num_threads: int | None = None,
    progress: bool = False,
) -> Graph:
    """A graph from a Matrix Market file of coordinates.

    Parameters
    ----------
    path : str or path-like
        A file, plain or gzip-compressed, of a square matrix: entry (i, j) is the edge from node i - 1 to
        node j - 1. A symmetric matrix is an undirected graph; of a pattern all weights are 1.
    duplicates : str, optional
        As in `Graph.from_edges`.
    num_threads : int, optional
        How many threads to use; the graph does not depend on it.
    progress : bool
        Whether it is shown on stderr how far the reading is.

    Returns
    -------
    Graph
        With a node for each row.

    Raises
    ------
    ValueError
        If the header is not one of a square real, integer or pattern matrix in coordinates, general or
        symmetric; if a line is no entry, or there are not as many as the header says.

    References
    ----------
    Boisvert, Pozo and Remington, "The Matrix Market exchange formats: initial design", NISTIR 5935, 1996.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastla.graph import read_mtx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "graph.mtx")
    ...     with open(path, "w") as file:
    ...         _ = file.write("%%MatrixMarket matrix coordinate real general\\n2 2 1\\n1 2 0.5\\n")
    ...     read_mtx(path)
    Graph(directed, 2 nodes, 1 edges, float64 weights)
    """
    with LineFile("read_mtx", path, progress) as file:
        field, symmetry = _mtx_header(file)
        text, lines = file.line(), 2
        while text and (not text.strip() or text.startswith(b"%")):
            text, lines = file.line(), lines + 1
        sizes = text.split()
        if len(sizes) != 3 or not all(x.isdigit() for x in sizes):
            raise ValueError(
                f"read_mtx: {file.path}, line {lines} is {_shown(text)}; it must be rows, columns and entries"
            )
        rows, columns, entries = (int(x) for x in sizes)
        if rows != columns:
            raise ValueError(
                f"read_mtx: {file.path} is ({rows}, {columns}); a graph's matrix is square"
            )
        nodes_given("read_mtx", rows)
        form = Format(-1 if field == "pattern" else 2, "", "%", 1, rows)
        edges = parse(file, form, lines, num_threads)
        if len(edges.source) != entries:
            raise ValueError(
                f"read_mtx: {file.path} has {len(edges.source)} entries; its header says {entries}"
            )
    if edges.weight is not None and np.all(edges.weight == 1):
        edges = edges._replace(weight=None)
    directed = symmetry == "general"
    made = compressed("read_mtx", *edges, rows, directed, duplicates, num_threads)
    return Graph(*made, directed=directed)


def _format(
    function: str, comments: str, delimiter: str | None, weight: bool | int, n: int | None
) -> Format:
    column = -1 if weight is False else 2 if weight is True else int(weight)
    if weight is not False and column < 2:
        raise ValueError(
            f"{function}: weight is {weight!r}; it must be a column from 2 on, or a bool"
        )
    if len(comments.encode()) > 8 or (delimiter is not None and len(delimiter.encode()) != 1):
        raise ValueError(
            f"{function}: comments is {comments!r}, delimiter is {delimiter!r}; they must be at most "
            "8 bytes and one byte"
        )
    return Format(column, delimiter or "", comments, 0, nodes_given(function, n))


def _mtx_header(file: LineFile) -> tuple[str, str]:
    text = file.line()
    words = text.decode("utf-8", "replace").lower().split()
    good = (
        len(words) == 5
        and words[:3] == ["%%matrixmarket", "matrix", "coordinate"]
        and words[3] in ("real", "integer", "pattern")
        and words[4] in ("general", "symmetric")
    )
    if not good:
        raise ValueError(
            f"read_mtx: {file.path} begins with {_shown(text)}; it must be '%%MatrixMarket matrix "
            "coordinate' and real, integer or pattern, then general or symmetric"
        )
    return words[3], words[4]


def _shown(text: bytes) -> str:
    return repr(text[:100].decode("utf-8", "replace").rstrip("\r\n"))
