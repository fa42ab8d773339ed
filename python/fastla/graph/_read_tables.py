"""Graphs from tables of edges, by pyarrow."""

from __future__ import annotations

import os
from typing import Any

from .._extra import package
from ._graph import Graph


def read_csv(
    path: str | os.PathLike[str],
    source: str = "source",
    target: str = "target",
    weight: str | None = None,
    *,
    delimiter: str = ",",
    n: int | None = None,
    directed: bool = True,
    duplicates: str | None = None,
    num_threads: int | None = None,
) -> Graph:
    """A graph from a table of edges in a CSV file with the columns' names in its first line.

    Parameters
    ----------
    path : str or path-like
        A file, plain or compressed, as pyarrow reads it.
    source, target : str
        Columns of both ends: integers, the nodes' numbers, or names.
    weight : str, optional
        The column of weights.
    delimiter : str
        The character between columns.
    n : int, optional
        How many nodes there are.
    directed : bool
        Whether an edge has a direction.
    duplicates : str, optional
        What becomes of edges that are given more than once.
    num_threads : int, optional
        How many threads to use.

    Returns
    -------
    Graph
        As `Graph.from_edges` makes it of the columns.

    Raises
    ------
    ValueError
        If a column is not there or has empty places, or edges are not as `Graph.from_edges` needs them.
    ImportError
        Without pyarrow, which the extra ``fastla[graph]`` brings.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastla.graph import read_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "edges.csv")
    ...     with open(path, "w") as file:
    ...         _ = file.write("source,target\\nann,bob\\nbob,cleo\\n")
    ...     read_csv(path)
    Graph(directed, 3 nodes, 2 edges)
    """
    csv = package("pyarrow.csv", "graph")
    wanted = [name for name in (source, target, weight) if name is not None]
    try:
        table = csv.read_csv(
            os.fspath(path),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(include_columns=wanted),
        )
    except (package("pyarrow", "graph").ArrowInvalid, KeyError) as error:
        raise ValueError(f"read_csv: {os.fspath(path)} is no such table: {error}") from None
    return _of_table(
        "read_csv", path, table, (source, target, weight), n, directed, duplicates, num_threads
    )


def read_parquet(
    path: str | os.PathLike[str],
    source: str = "source",
    target: str = "target",
    weight: str | None = None,
    *,
    n: int | None = None,
    directed: bool = True,
    duplicates: str | None = None,
    num_threads: int | None = None,
) -> Graph:
    """A graph from a table of edges in a Parquet file.

    Parameters
    ----------
    path : str or path-like
        A file or a folder of files, as pyarrow reads it.
    source, target : str
        Columns of both ends: integers, the nodes' numbers, or names.
    weight : str, optional
        The column of weights.
    n : int, optional
        How many nodes there are.
    directed : bool
        Whether an edge has a direction.
    duplicates : str, optional
        What becomes of edges that are given more than once.
    num_threads : int, optional
        How many threads to use.

    Returns
    -------
    Graph
        As `Graph.from_edges` makes it of the columns.

    Raises
    ------
    ValueError
        If a column is not there or has empty places, or edges are not as `Graph.from_edges` needs them.
    ImportError
        Without pyarrow, which the extra ``fastla[graph]`` brings.

    Examples
    --------
    >>> import os, tempfile
    >>> import pyarrow, pyarrow.parquet
    >>> from fastla.graph import read_parquet
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "edges.parquet")
    ...     pyarrow.parquet.write_table(pyarrow.table({"source": [0, 1], "target": [1, 2]}), path)
    ...     read_parquet(path)
    Graph(directed, 3 nodes, 2 edges)
    """
    parquet = package("pyarrow.parquet", "graph")
    columns = [name for name in (source, target, weight) if name is not None]
    try:
        known = parquet.read_schema(path).names if os.path.isfile(path) else columns
        table = parquet.read_table(os.fspath(path), columns=[x for x in columns if x in known])
    except package("pyarrow", "graph").ArrowInvalid as error:
        raise ValueError(f"read_parquet: {os.fspath(path)} is no such table: {error}") from None
    return _of_table(
        "read_parquet", path, table, (source, target, weight), n, directed, duplicates, num_threads
    )


def _of_table(
    function: str,
    path: str | os.PathLike[str],
    table: Any,
    names: tuple[str, str, str | None],
    n: int | None,
    directed: bool,
    duplicates: str | None,
    num_threads: int | None,
) -> Graph:
    def column(name: str) -> Any:
        if name not in table.column_names:
            raise ValueError(
                f"{function}: {os.fspath(path)} has no column {name!r}; it has {table.column_names}"
            )
        found = table[name]
        if found.null_count:
            raise ValueError(
                f"{function}: {os.fspath(path)} has {found.null_count} empty places in the column {name!r}"
            )
        return found.to_numpy()

    source, target = column(names[0]), column(names[1])
    weight = None if names[2] is None else column(names[2])
    return Graph.from_edges(
        source,
        target,
        weight=weight,
        n=n,
        directed=directed,
        duplicates=duplicates,
        num_threads=num_threads,
    )
