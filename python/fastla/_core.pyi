from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_C_API: Any

class PackedMatrix:
    __array_ufunc__: None
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def T(self) -> PackedMatrix: ...
    @property
    def nbytes(self) -> int: ...
    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]: ...
    def __rmatmul__(self, x: ArrayLike) -> NDArray[Any]: ...

def matmul(
    x1: ArrayLike,
    x2: ArrayLike | PackedMatrix,
    /,
    out: NDArray[Any] | tuple[NDArray[Any]] | None = None,
    *,
    dtype: DTypeLike | None = None,
    precision: str = "highest",
    overflow: str = "wrap",
    semiring: str = "or",
    verify: bool = False,
    num_threads: int | None = None,
    **kwargs: Any,
) -> Any: ...
def linear(
    x: ArrayLike,
    w: ArrayLike | PackedMatrix,
    b: ArrayLike | None = None,
    *,
    activation: str | None = None,
    gate: ArrayLike | None = None,
    residual: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
    precision: str = "highest",
    num_threads: int | None = None,
) -> NDArray[Any]: ...
def gemm(
    a: ArrayLike,
    b: ArrayLike | PackedMatrix,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    c: ArrayLike | None = None,
    row_scale: ArrayLike | None = None,
    col_scale: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    row_bias: ArrayLike | None = None,
    activation: str | None = None,
    gate: ArrayLike | None = None,
    residual: ArrayLike | None = None,
    out: NDArray[Any] | None = None,
    precision: str = "highest",
    num_threads: int | None = None,
) -> NDArray[Any]: ...
def gram(
    a: ArrayLike,
    *,
    side: str = "left",
    out: NDArray[Any] | None = None,
    dtype: DTypeLike | None = None,
    num_threads: int | None = None,
) -> NDArray[Any]: ...
def pack(w: ArrayLike) -> PackedMatrix: ...
def explain(
    m: int,
    n: int,
    k: int,
    dtype: str,
    a: tuple[int, int, bool],
    b: tuple[int, int, bool],
    c: tuple[int, int],
    threads: int,
    precision: str,
) -> dict[str, Any]: ...
def activate(name: str | None, x: ArrayLike) -> NDArray[Any]: ...
def kernels() -> list[dict[str, Any]]: ...
def use_isa(name: str | None) -> None: ...
def force_path(name: str) -> None: ...
def force_strassen(least: int) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def thread_context(n: int) -> int: ...
def team_started() -> bool: ...
def cgroup_cpus(root: str) -> int: ...
def affinity_cpus() -> int: ...
def roof_fma(dtype: str, threads: int, seconds: float, rounds: int) -> float: ...
def roof_read(threads: int, seconds: float) -> float: ...
def cpu_info() -> dict[str, Any]: ...
def release_workspace() -> None: ...
def workspace_bytes() -> int: ...
def numpy_loops(on: bool) -> None: ...
def numpy_loop_status() -> list[tuple[str, np.dtype[Any], bool, int, int]]: ...
def numpy_operator(on: bool) -> None: ...
def check_rows(
    a: NDArray[Any], b: NDArray[Any], c: NDArray[Any], seed: int, threads: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def reference_matmul(
    a: NDArray[Any], b: NDArray[Any], dtype: DTypeLike | None, threads: int
) -> NDArray[Any]: ...
def call_counts() -> dict[str, int]: ...
def row_op(
    op: str,
    x: NDArray[Any],
    other: NDArray[Any] | None = None,
    out: NDArray[Any] | None = None,
    *,
    weight: NDArray[Any] | None = None,
    bias: NDArray[Any] | None = None,
    stats: tuple[NDArray[Any] | None, NDArray[Any] | None] = ...,
    sums: tuple[NDArray[Any] | None, NDArray[Any] | None] = ...,
    target: NDArray[np.int64] | None = None,
    param: float = 0.0,
    activation: str | None = None,
    threads: int = 0,
    third: NDArray[Any] | None = None,
    more: NDArray[Any] | None = None,
) -> None: ...
def turn(
    x: NDArray[Any],
    cos: NDArray[Any],
    sin: NDArray[Any],
    out: NDArray[Any],
    interleaved: bool,
    back: bool,
    threads: int,
) -> None: ...
def classes(
    target: NDArray[np.int64], columns: int, ignored: int, to: NDArray[np.int64]
) -> int: ...
def interferes(x: NDArray[Any], out: NDArray[Any]) -> bool: ...
def sgd(
    parameter: NDArray[Any],
    gradient: NDArray[Any],
    velocity: NDArray[Any] | None,
    rate: float,
    decay: float,
    momentum: float,
    nesterov: bool,
) -> bool: ...
def moments(
    x: NDArray[Any], shift: NDArray[Any], sums: NDArray[Any], scatter: NDArray[Any]
) -> bool: ...
def adam(
    parameter: NDArray[Any],
    gradient: NDArray[Any],
    mean: NDArray[Any],
    square: NDArray[Any],
    rate: float,
    shrink: float,
    decay: float,
    first: float,
    second: float,
    eps: float,
) -> bool: ...
def attention(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    out: NDArray[Any],
    bias: NDArray[Any] | None,
    mask: NDArray[np.bool_] | None,
    slopes: NDArray[np.float64] | None,
    lse: NDArray[Any] | None,
    numbers: tuple[float, float, int, int, int, float, int],
    threads: int,
) -> None: ...
def attention_backward(
    gradients: tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]],
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    out: NDArray[Any],
    bias: NDArray[Any] | None,
    mask: NDArray[np.bool_] | None,
    slopes: NDArray[np.float64] | None,
    lse: NDArray[Any],
    numbers: tuple[float, float, int, int, int, float, int],
    threads: int,
) -> None: ...
def topk(
    q: NDArray[Any],
    x: NDArray[Any],
    values: NDArray[Any],
    indices: NDArray[np.int64],
    row_scale: NDArray[Any] | None = None,
    col_scale: NDArray[Any] | None = None,
    col_bias: NDArray[Any] | None = None,
    exclude: NDArray[np.int64] | None = None,
    rows_from: NDArray[Any] | None = None,
    rows_to: NDArray[Any] | None = None,
    half_square: NDArray[np.float64] | None = None,
    slack: NDArray[np.float64] | None = None,
) -> None: ...
def row_distances(
    x: NDArray[Any], y: NDArray[Any], index: NDArray[np.int32] | None, out: NDArray[np.float64]
) -> None: ...
# fmt: off
def lloyd(
    x: NDArray[Any], centers: NDArray[Any], bias: NDArray[Any], weights: NDArray[Any] | None,
    labels: NDArray[np.int32], sums: NDArray[np.float64], counts: NDArray[np.float64],
) -> None: ...
def sweep(
    x: NDArray[Any], names: NDArray[np.int64], axis: int, values: NDArray[Any], indices: NDArray[np.int64]
) -> None: ...
def csr_aggregates(
    indptr: NDArray[np.int32], indices: NDArray[np.int32], data: NDArray[np.float64], share: float,
    least: float,
) -> tuple[NDArray[np.int32], int]: ...
def csr_product(
    a_indptr: NDArray[np.int32], a_indices: NDArray[np.int32], a_data: NDArray[np.float64],
    b_indptr: NDArray[np.int32], b_indices: NDArray[np.int32], b_data: NDArray[np.float64],
    columns: int, num_threads: int | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]: ...
def csr_check(
    indptr: NDArray[Any], indices: NDArray[Any], shape: tuple[int, int], num_threads: int | None = None
) -> None: ...
def csr_matmul(
    indptr: NDArray[Any], indices: NDArray[Any], data: NDArray[Any] | None, shape: tuple[int, int],
    b: NDArray[Any], out: NDArray[Any] | None = None, num_threads: int | None = None
) -> NDArray[Any]: ...
def csr_transpose(
    indptr: NDArray[Any], indices: NDArray[Any], data: NDArray[Any] | None, shape: tuple[int, int],
    num_threads: int | None = None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]: ...
# fmt: on
def graph_build(
    function: str, source: NDArray[Any], target: NDArray[Any], weight: NDArray[Any] | None, nodes: int,
    duplicates: int, both_ways: bool, num_threads: int | None = None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]: ...
def graph_parse(
    buffer: NDArray[Any], bytes: int, source: NDArray[Any], target: NDArray[Any],
    weight: NDArray[Any] | None, at: int, weight_column: int, delimiter: str, comment: str, base: int,
    nodes: int, num_threads: int | None = None
) -> tuple[int, int, int, int, int]: ...
def graph_rmat(
    scale: int, first: int, count: int, a: float, b: float, c: float, seed: int, scrambled: bool,
    num_threads: int | None = None
) -> tuple[NDArray[Any], NDArray[Any]]: ...
def rank_step(
    indptr: NDArray[Any], indices: NDArray[Any], weights: NDArray[Any] | None, x: NDArray[Any],
    from_: NDArray[Any], inverse: NDArray[Any], jump: NDArray[np.float64], jump_factor: NDArray[np.float64],
    sink: NDArray[np.float64] | None, sink_factor: NDArray[np.float64] | None, alpha: float,
    to: NDArray[Any], next: NDArray[Any], sums: NDArray[np.int64], num_threads: int | None = None
) -> None: ...
def rank_add_out(
    indices: NDArray[Any], weights: NDArray[Any] | None, sums: NDArray[Any]
) -> None: ...
def rank_chances(
    indices: NDArray[Any], weights: NDArray[Any], strength: NDArray[np.float64], out: NDArray[Any],
    num_threads: int | None = None
) -> None: ...
def rank_reorder(
    indptr: NDArray[Any], indices: NDArray[Any], weights: NDArray[Any] | None,
    out_degree: NDArray[np.int64], num_threads: int | None = None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any] | None]: ...
