"""Updates of low rank: scale B A beside a matrix of weights, without forming it; merged and unmerged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .. import _core
from ._mixed import floats, widened

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class LowRank(NamedTuple):
    """A (r, in), B (out, r) and the scale."""

    a: NDArray[Any]
    b: NDArray[Any]
    scale: float

    @classmethod
    def of(cls, name: str, lora: Any, shape: tuple[int, ...]) -> LowRank:
        """As an argument has it, for weights of this shape."""
        if len(lora) != 3:
            raise ValueError(f"{name}: lora has {len(lora)} entries; it must be (A, B, scale)")
        a, b = (widened(floats(name, x, f"lora's {what}")) for x, what in zip(lora, "AB", strict=False))
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1] or (b.shape[0], a.shape[1]) != shape:
            raise ValueError(
                f"{name}: lora's A is {a.shape}, B is {b.shape}; for w {shape} they must be "
                f"(r, {shape[1]}) and ({shape[0]}, r)"
            )
        return cls(a, b, float(lora[2]))

    def product(self, rows: NDArray[Any], threads: int | None) -> NDArray[Any]:
        """scale (x A^T) B^T."""
        return _core.gemm(self.narrow(rows, threads), self.b.T, alpha=self.scale, num_threads=threads)

    def narrow(self, rows: NDArray[Any], threads: int | None) -> NDArray[Any]:
        """x A^T."""
        made: NDArray[Any] = _core.matmul(rows, self.a.T, num_threads=threads)
        return made

    def backward(
        self, dz: NDArray[Any], rows: NDArray[Any], threads: int | None
    ) -> tuple[NDArray[Any], tuple[NDArray[Any], NDArray[Any]]]:
        """The summand of the gradient for x, and the gradients for A and B."""
        options: dict[str, Any] = {"alpha": self.scale, "num_threads": threads}
        through = _core.matmul(dz, self.b, num_threads=threads)
        da = _core.gemm(through.T, rows, **options)
        db = _core.gemm(dz.T, self.narrow(rows, threads), **options)
        return _core.gemm(through, self.a, **options), (da, db)


def _added(name: str, w: ArrayLike, lora: Any, sign: int) -> NDArray[Any]:
    weights = widened(floats(name, w, "w"))
    if weights.ndim != 2:
        raise ValueError(f"{name}: w is {weights.shape}; it must be a matrix")
    low = LowRank.of(name, lora, weights.shape)
    return _core.gemm(
        low.b.astype(weights.dtype, copy=False),
        low.a.astype(weights.dtype, copy=False),
        alpha=sign * low.scale,
        beta=1.0,
        c=weights,
    )


def merge_lora(w: ArrayLike, lora: tuple[ArrayLike, ArrayLike, float]) -> NDArray[Any]:
    """The weights with an update of low rank in them: ``w + scale * B A``.

    Parameters
    ----------
    w : array_like
        Weights, (out, in).
    lora : (A, B, scale)
        A, (r, in); B, (out, r).

    Returns
    -------
    ndarray
        (out, in), float32; float64 if `w` is.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    See Also
    --------
    unmerge_lora, linear

    Notes
    -----
    2 out in r operations. With D = scale B A, rounded, the result is W + D, rounded once.

    References
    ----------
    E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.

    Examples
    --------
    >>> from fastla import nn
    >>> nn.merge_lora([[1.0, 2.0]], ([[1.0, 1.0]], [[3.0]], 0.5))
    array([[2.5, 3.5]])
    """
    return _added("merge_lora", w, lora, 1)


def unmerge_lora(w: ArrayLike, lora: tuple[ArrayLike, ArrayLike, float]) -> NDArray[Any]:
    """What was merged, taken out again: ``w - scale * B A``.

    Parameters
    ----------
    w : array_like
        What `merge_lora` gave, (out, in).
    lora : (A, B, scale)
        A, (r, in); B, (out, r).

    Returns
    -------
    ndarray
        (out, in), float32; float64 if `w` is.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    The update D has the same bits as in `merge_lora`. With M = W + D rounded and U = M - D rounded,
    ``|U - W| <= u (|M| + |U|)``, where u = 2^-24 in float32 and 2^-53 in float64. U is W, bit for bit, where
    M = W + D was exact. Where D is far larger than W, digits of W are lost: keep W if it must come back.

    Examples
    --------
    >>> from fastla import nn
    >>> lora = [[1.0, 1.0]], [[3.0]], 0.5
    >>> nn.unmerge_lora(nn.merge_lora([[1.0, 2.0]], lora), lora)
    array([[1., 2.]])
    """
    return _added("unmerge_lora", w, lora, -1)
