// The hot calls' table entries with their docstrings (numpydoc). Included once, by core.cpp.
FASTLA_HOT(
    matmul,
    R"(matmul(x1, x2, /, out=None, *, dtype=None, precision='highest', overflow='wrap', semiring='or', verify=False, num_threads=None, **kwargs)
--

Matrix product with the semantics of `numpy.matmul` and bits that never change.

Parameters
----------
x1, x2 : array_like
    Operands, (..., m, k) and (..., k, n); one-dimensional ones as in NumPy. float16, float32,
    float64, complex64, complex128, bool, integers of 8 to 64 bits (also of mixed types that promote to them) and
    ml_dtypes' bfloat16 are computed here; every other dtype, subclasses and objects with ``__array_ufunc__`` go to
    `numpy.matmul`. x2 may be a `PackedMatrix`.
out : ndarray, optional
    Where to put the result: of its shape, and of a dtype it can be cast to ('same_kind'). It may
    overlap the operands. It is untouched if the call fails.
dtype : dtype, optional
    Compute and return this dtype instead of the promoted one. A wider one of integers is computed
    from the narrow operands as they are: ``dtype=np.int32`` of int8 costs no more than int8.
precision : {'highest', 'exact', 'high', 'tf32', 'fast'}, default 'highest'
    'fast': large products of float32 and float64 may have other rounding errors, see the notes. On CPUs all
    others are exact in the sense of the contract.
overflow : {'wrap', 'raise', 'widen'}, default 'wrap'
    Where an integer of the result does not fit its dtype: keep the lowest bits, as NumPy does; raise
    an error that names the first such entry; or return the narrowest wider dtype of the same kind that
    holds all entries, in the end Python's integers (`object`). Floating point has infinities instead.
semiring : {'or', 'xor', 'count'}, default 'or'
    What is made of the ANDs of bool: their OR, as NumPy has it; their exclusive OR; or how many are true,
    as `numpy.intp`. Only for arrays of bool.
verify : bool, default False
    Check the product before it is handed out, by a random test of every row that shares no code with the
    kernels: an integer that is wrong is always found, another number if it is wrong by more than twice a bound
    of the size of rounding errors (docs/verify.md). A correct product never fails.
num_threads : int, optional
    Threads to use at most, instead of `get_num_threads()`.
**kwargs
    ``casting``, ``order``, ``subok``, ``axes``, ``axis``, ``signature``: the call goes to
    `numpy.matmul` as it is.

Returns
-------
ndarray or scalar
    (..., m, n) by NumPy's rules, C-contiguous unless `out` is given.

Raises
------
ValueError
    If the shapes do not fit, `out` is read-only, or an option is unknown.
TypeError
    If `out` is not an array, or the result cannot be cast to its dtype; with `verify`, if the product is
    `numpy.matmul`'s or x2 a `PackedMatrix`.
VerificationError
    With `verify`, if the product is wrong; it names the entry. `out` then holds the wrong product, or what it
    held before.
OverflowError
    With ``overflow='raise'``, if an entry does not fit.
MemoryError
    If there is no memory for the result or the workspace.

Notes
-----
2 m n k operations a product, 8 m n k if complex. Each element is one chain of fused multiply-adds in increasing k over
blocks of 512, the block sums added in order; so its bits do not depend on threads, batch, slicing, strides or the
instruction set. The error is within Higham's bound gamma(k) abs(x1) @ abs(x2). float16 is summed in float32; so is
bfloat16, with subnormal numbers taken for 0 and without floating-point warnings, and its products are float32, as NumPy's
are, unless ``dtype`` says otherwise; complex numbers have four chains. Integers are exact modulo 2^bits. Scratch memory is
at most some tens of megabytes, but where Strassen-Winograd is used (there a third of the operands and the result, and
that) or small integers are converted to floating point (as much as they take).

Large products of integers whose result is no wider than they are, and with ``precision='fast'`` of float32 and float64,
take l levels of Strassen's multiplication in Winograd's form [4]_, (7/8)^l of the multiplications; `explain` says how
many. Integers are exact all the same. In floating point the error has a norm-wise bound only: with k0 = k / 2^l,
``max abs(C - x1 @ x2) <= 18^l (k0^2 + 6 k0) u max abs(x1) max abs(x2)`` ([2]_, theorem 23.3). The bits depend on the sizes
and the dtype, not on threads, strides or the instruction set. Complex numbers, float16, bfloat16, byte-swapped and packed
operands are computed as ever. Products of a stack are taken one by one.

'raise' and 'widen' cost a look at the operands, O(m k + k n), where their magnitudes show that nothing
can overflow; else a product in 64 bits; and nine of them where 64 bits may not hold it.

`verify` reads both operands and the result once, O(m k + k n + m n); rows of which the test is not sure, those with
infinities and NaN among them, are computed again by plain loops, some nanoseconds a multiply-add.

References
----------
.. [1] K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34 (2008).
.. [2] N. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed. (2002), chapters 3 and 23.
.. [3] R. Freivalds, "Probabilistic Machines Can Use Less Running Time", IFIP Congress (1977).
.. [4] J. Huang, T. Smith, G. Henry and R. van de Geijn, "Strassen's Algorithm Reloaded", SC16 (2016).

Examples
--------
>>> import numpy as np
>>> import fastla
>>> fastla.matmul(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]))
array([[1., 2.],
       [3., 4.]])
>>> pixels = np.array([[200, 180]], np.uint8)
>>> fastla.matmul(pixels, pixels.T)  # modulo 256
array([[208]], dtype=uint8)
>>> fastla.matmul(pixels, pixels.T, overflow="widen")
array([[72400]], dtype=uint32)
)"),
    FASTLA_HOT(
        linear,
        R"(linear(x, w, b=None, *, activation=None, gate=None, residual=None, out=None, precision='highest', num_threads=None)
--

A linear layer: ``activation(x @ w.T + b) * gate + residual`` in one pass over the result.

Parameters
----------
x : array_like
    Input, (..., k).
w : array_like or PackedMatrix
    Weights, (n, k): one row for each output.
b : array_like, optional
    Bias, (n,).
activation : {None, 'relu', 'gelu', 'gelu_tanh', 'silu', 'tanh', 'sigmoid'}, default None
    Applied after the bias.
gate, residual : array_like, optional
    Factor and summand of the activated result, (..., n).
out : ndarray, optional
    Where to put the result; may be `gate` or `residual` itself. It is untouched if the call fails.
precision : {'highest', 'exact', 'high', 'tf32', 'fast'}, default 'highest'
    On CPUs all of them are exact in the sense of the contract, 'fast' too.
num_threads : int, optional
    Threads to use at most, instead of `get_num_threads()`.

Returns
-------
ndarray
    (..., n), float32 or float64 as the operands promote; float16 or bfloat16 if `x` and `w` both are.

Raises
------
ValueError
    If shapes do not fit, `out` is read-only, or an option is unknown.
TypeError
    If the operands promote to something else.

Notes
-----
2 m n k operations; no temporary of the size of the result. Each step of the epilogue is rounded once,
in the order above; activations are the library's own functions, the same bits on every CPU. Of float16 and
bfloat16 the steps are float32's, with operands of that dtype, and their result is rounded once.

Examples
--------
>>> import numpy as np
>>> import fastla
>>> x, w = np.array([[1.0, -1.0]]), np.array([[2.0, 1.0], [0.0, 3.0]])
>>> fastla.linear(x, w, np.array([0.5, 0.5]), activation="relu")
array([[1.5, 0. ]])
)"),
    FASTLA_HOT(
        gemm,
        R"(gemm(a, b, *, alpha=1.0, beta=0.0, c=None, row_scale=None, col_scale=None, bias=None, row_bias=None, activation=None, gate=None, residual=None, out=None, precision='highest', num_threads=None)
--

The product of two matrices with every step of the epilogue.

Parameters
----------
a : array_like
    (m, k).
b : array_like or PackedMatrix
    (k, n).
alpha, beta : float, default 1 and 0
    Factors of the product and of `c`, rounded to the dtype of the product.
c : array_like, optional
    (m, n); not read when beta is 0.
row_scale, col_scale : array_like, optional
    (m,) and (n,).
bias, row_bias : array_like, optional
    (n,), added to every row, and (m,), added to every column after it.
activation : {None, 'relu', 'gelu', 'gelu_tanh', 'silu', 'tanh', 'sigmoid'}, default None
    Applied after the biases.
gate, residual : array_like, optional
    (m, n).
out : ndarray, optional
    Where to put the result; may be `c`, `gate` or `residual` itself. It is untouched if the call fails.
precision : {'highest', 'exact', 'high', 'tf32', 'fast'}, default 'highest'
    On CPUs all of them are exact in the sense of the contract, 'fast' too.
num_threads : int, optional
    Threads to use at most, instead of `get_num_threads()`.

Returns
-------
ndarray
    (m, n), float32 or float64 as the operands promote; float16 or bfloat16 if `a` and `b` both are.

Raises
------
ValueError
    If shapes do not fit, `out` is read-only, beta is given without c, or an option is unknown.
TypeError
    If the operands promote to something else.

Notes
-----
With y the product: alpha y; y row_scale col_scale; fma(beta, c, y); y + bias; y + row_bias;
activation(y); y gate; y + residual; each step rounded once. 2 m n k operations. Of float16 and bfloat16
these steps are float32's, with operands of that dtype, and their result is rounded once.

Examples
--------
>>> import numpy as np
>>> import fastla
>>> a = np.array([[1.0, 2.0]])
>>> fastla.gemm(a, a.T, alpha=2.0, beta=-1.0, c=np.array([[4.0]]))
array([[6.]])
)"),
    {"pack", fastla_py::pack, METH_O, R"(pack(w)
--

Copy a matrix into the layout that products read, once for many products.

Parameters
----------
w : array_like
    (k, n), float32 or float64.

Returns
-------
PackedMatrix
    Immutable. The right operand of `matmul` and `gemm`, or the `w` of `linear`, in the place of the
    array it was made from.

Raises
------
ValueError
    If w is not a matrix.
TypeError
    If its dtype is not float32 or float64.

Notes
-----
The bits of every product are those of the unpacked matrix. Memory: k n elements, columns rounded up to
the kernel's width. The layout for `linear` is made by the first call of `linear`.

Examples
--------
>>> import numpy as np
>>> import fastla
>>> w = fastla.pack(np.eye(3))
>>> fastla.matmul(np.ones((1, 3)), w)
array([[1., 1., 1.]])
)"},
    FASTLA_HOT(gram,
               R"(gram($module, /, a, *, side='left', out=None, dtype=None, num_threads=None)
--

A matrix times its own conjugate transpose, exactly symmetric (Hermitian), at half the work.

Parameters
----------
a : array_like, shape (..., m, n)
    The matrix, of any dtype that `matmul` computes.
side : {'left', 'right'}, default 'left'
    On which side of it the transpose is: ``a^H a``, (n, n), or ``a a^H``, (m, m).
out : ndarray, optional
    Where to put the result: of its shape and dtype. It may overlap `a`.
dtype : dtype, optional
    Convert `a` to this dtype first.
num_threads : int, optional
    Threads to use at most, instead of `get_num_threads()`.

Returns
-------
ndarray, shape (..., n, n) or (..., m, m)

Raises
------
ValueError
    If `a` has fewer than two dimensions, `side` is unknown, or `out` has another shape or is read-only.
TypeError
    If there are no products of the dtype here, `a` cannot be converted to `dtype` ('same_kind'), or `out`
    has another dtype than the result.

See Also
--------
matmul

Notes
-----
The bits are those of ``matmul(a.conj().T, a)`` or ``matmul(a, a.conj().T)``, whose two halves have the
same ones. Tiles below the diagonal are copied from those above it: about m n (n + 40) operations for
'left', 4 times as many if complex. Neither the transpose nor the conjugate is made. Stacks, and matrices
with fewer than 64 columns (rows), are computed in full.

Examples
--------
>>> import numpy as np
>>> import fastla
>>> fastla.gram(np.array([[1.0, 2.0], [3.0, 4.0]]))
array([[10., 14.],
       [14., 20.]])
)"),
