"""What work costs, what a machine can do, and so how long the work takes at least."""

from __future__ import annotations

import operator
from dataclasses import astuple, dataclass

import numpy as np

from .._runtime import roof as measure


def integers(function: str, **sizes: int) -> list[int]:
    """The sizes as Python's integers, which cannot overflow, once none is negative."""
    for name, size in sizes.items():
        if operator.index(size) < 0:
            raise ValueError(f"{function}: {name} must be at least 0, got {size}")
    return [operator.index(size) for size in sizes.values()]


def itemsize(dtype: object) -> int:
    """Bytes of an element; "bfloat16" needs no ml_dtypes."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a layer, a pass or a whole network costs.

    Attributes
    ----------
    flops : int
        Operations of the products, two for each multiply-add.
    bytes_read, bytes_written : int
        Each operand of a product read once, each result written once.
    parameters : int
        Numbers that are learned.
    products : int
        Matrix products.
    biases : int
        Of the parameters, those that are added: biases, and shifts of norms.
    weights : int
        Of the parameters, the others: entries of matrices, and scales of norms.
    weight_share : float
        weights / parameters; 0 where there are no parameters.
    bytes : int
        bytes_read + bytes_written.
    intensity : float
        Operations per byte; 0 where no byte is moved.

    Methods
    -------
    backward()
        Cost of the gradients.
    training()
        Cost of the forward and the backward pass.
    time(roof)
        How long it takes at least.

    Notes
    -----
    Costs are added, and multiplied by a count: `12 * block` are twelve blocks, with parameters of their own.

    Examples
    --------
    >>> from fastla import flops
    >>> cost = 3 * flops.linear(64, 256, 256, bias=True) + flops.linear(64, 256, 10)
    >>> cost.products, cost.flops, cost.weights, cost.biases
    (4, 25493504, 199168, 768)
    """

    flops: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    parameters: int = 0
    products: int = 0
    biases: int = 0

    @property
    def weights(self) -> int:
        return self.parameters - self.biases

    @property
    def weight_share(self) -> float:
        return self.weights / self.parameters if self.parameters else 0.0

    @property
    def bytes(self) -> int:
        return self.bytes_read + self.bytes_written

    @property
    def intensity(self) -> float:
        return self.flops / self.bytes if self.bytes else 0.0

    def __add__(self, other: Cost) -> Cost:
        if not isinstance(other, Cost):
            return NotImplemented
        return Cost(*map(operator.add, astuple(self), astuple(other)))

    def __mul__(self, count: int) -> Cost:
        (count,) = integers("Cost", count=count)
        return Cost(*(count * number for number in astuple(self)))

    __rmul__ = __mul__

    def backward(self) -> Cost:
        """Cost of the gradients: two products for each product.

        Returns
        -------
        Cost
            Its parameters are those of the forward pass.

        Notes
        -----
        C = A B needs dA = dC B^T and dB = A^T dC, which read A and B once, dC twice, and write dA and dB.
        For a lookup this counts its rows once too often.

        Examples
        --------
        >>> from fastla import flops
        >>> flops.matmul(2, 3, 5, dtype="float32").backward()
        Cost(flops=120, bytes_read=148, bytes_written=100, parameters=0, products=2, biases=0)
        """
        return Cost(
            2 * self.flops,
            self.bytes_read + 2 * self.bytes_written,
            self.bytes_read,
            self.parameters,
            2 * self.products,
            self.biases,
        )

    def training(self) -> Cost:
        """Cost of the forward and the backward pass; the optimizer's is not in it.

        Returns
        -------
        Cost

        Examples
        --------
        >>> from fastla import flops
        >>> flops.matmul(2, 3, 5).training().products
        3
        """
        back = self.backward()
        return Cost(
            self.flops + back.flops,
            self.bytes_read + back.bytes_read,
            self.bytes_written + back.bytes_written,
            self.parameters,
            self.products + back.products,
            self.biases,
        )

    def time(self, roof: Roof) -> Time:
        """How long it takes at least, if arithmetic and memory work at the same time.

        Parameters
        ----------
        roof : Roof

        Returns
        -------
        Time
            Of a sum, at most the sum of the parts' times.

        Examples
        --------
        >>> from fastla import flops
        >>> print(flops.matmul(1, 4096, 4096).time(flops.Roof(1e11, 2e10)))
        3.357 ms (memory)
        """
        return Time(self.flops / roof.flops, self.bytes / roof.bandwidth)


@dataclass(frozen=True, slots=True)
class Roof:
    """What a machine can do at most, in two numbers [1]_.

    Attributes
    ----------
    flops : float
        Operations per second.
    bandwidth : float
        Bytes per second between memory and the processor.
    ridge : float
        flops / bandwidth: work of a lower intensity waits for memory.

    Methods
    -------
    measured(dtype="float32", num_threads=None, seconds=0.2)
        The roof of this machine.

    References
    ----------
    .. [1] S. Williams, A. Waterman and D. Patterson, "Roofline", CACM 52 (2009).

    Examples
    --------
    >>> from fastla import flops
    >>> a100 = flops.Roof(312e12, 2e12)  # float16 by tensor cores, 80 GB
    >>> a100.ridge
    156.0
    """

    flops: float
    bandwidth: float

    def __post_init__(self) -> None:
        if not (self.flops > 0 and self.bandwidth > 0):
            raise ValueError(f"Roof: both rates must be positive, got {self.flops} and {self.bandwidth}")

    @property
    def ridge(self) -> float:
        return self.flops / self.bandwidth

    @classmethod
    def measured(cls, dtype: str = "float32", num_threads: int | None = None, seconds: float = 0.2) -> Roof:
        """The roof of this machine, by `fastla.roof`.

        Parameters
        ----------
        dtype : str, default "float32"
            "float32" or "float64".
        num_threads : int, optional
            Default: `fastla.get_num_threads()`.
        seconds : float, default 0.2
            About how long to measure each figure.

        Returns
        -------
        Roof

        Raises
        ------
        ValueError
            If there is no measurement for the dtype.

        Examples
        --------
        >>> from fastla import flops
        >>> flops.Roof.measured("float64", seconds=0.01).ridge > 0
        True
        """
        if dtype not in ("float32", "float64"):
            raise ValueError(f"Roof.measured: dtype must be float32 or float64, got {dtype}")
        found = measure(num_threads, seconds)
        return cls(found.flops[dtype], found.bandwidth)


@dataclass(frozen=True, slots=True)
class Time:
    """The least time that work takes on a machine, and what it waits for.

    Attributes
    ----------
    compute, memory : float
        Seconds of arithmetic, and of moving bytes.
    seconds : float
        The larger of the two.
    bound : str
        "compute" or "memory": which one that is.

    Examples
    --------
    >>> from fastla import flops
    >>> flops.Time(compute=2e-3, memory=5e-4).bound
    'compute'
    """

    compute: float
    memory: float

    @property
    def seconds(self) -> float:
        return max(self.compute, self.memory)

    @property
    def bound(self) -> str:
        return "compute" if self.compute >= self.memory else "memory"

    def __str__(self) -> str:
        return f"{1e3 * self.seconds:.4g} ms ({self.bound})"
