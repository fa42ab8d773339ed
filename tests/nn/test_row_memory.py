"""Operations on rows and attention touch nothing but their operands, beside which is no access to memory."""

import pytest
from process import HERE, run_python

# Every operation, on operands of each dtype; the result is that of ordinary memory.
GUARDED = """
    import sys
    import numpy as np
    import fastla
    from fastla import nn
    sys.path[:0] = [{tests!r}, {tests!r} + "/nn"]
    import attention_cases, row_cases
    from guarded import guarded, held
    from shapes import assert_same_bits

    def moved(x):
        if not isinstance(x, np.ndarray) or x.size == 0:
            return x
        place = guarded(x.shape, x.dtype, {at_end!r})
        place[...] = x
        return place

    with fastla.use_isa({isa!r}):
        for dtype in row_cases.DTYPES:
            for name, operation in row_cases.OPERATIONS.items():
                for columns in (1, 3, 15, 16, 17, 33, 100):
                    c = row_cases.operands(3, columns, dtype)
                    near = type(c)(**{{what: moved(x) for what, x in vars(c).items()}})
                    more = {{"out": moved(np.zeros((3, columns), dtype))}} if operation.in_place else {{}}
                    for got, want in zip(operation(near, **more), operation(c), strict=True):
                        assert_same_bits(got, want, (name, columns))
                    del near, more, got
                    held.clear()
            for queries, keys, size in ((1, 1, 1), (1, 17, 16), (3, 300, 5), (40, 33, 33), (2, 256, 64)):
                rng = np.random.default_rng(queries)
                q, k, v = attention_cases.stack(rng, queries, keys, size, dtype=dtype)
                others = {{"mask": rng.random((1, queries, keys)) < 0.7, "alibi": np.ones(1),
                           "bias": rng.standard_normal((queries, keys)).astype(row_cases.wide(q).dtype)}}
                want, lse = nn.attention(q, k, v, **others, return_lse=True)
                back = nn.attention_backward(want, q, k, v, want, lse, **others)
                q, k, v, near, level = (moved(x) for x in (q, k, v, want, lse))
                others = {{what: moved(x) for what, x in others.items()}}
                out = nn.attention(q, k, v, **others, out=moved(np.zeros_like(want)))
                assert_same_bits(out, want, (queries, keys, size))
                found = nn.attention_backward(near, q, k, v, near, level, **others)
                for got, wanted in zip(found, back, strict=True):
                    assert_same_bits(got, wanted, (queries, keys, size))
                del q, k, v, near, level, others, out, got, found
                held.clear()
    print("ok")
"""


@pytest.mark.parametrize("at_end", [True, False], ids=["end", "begin"])
def test_neighbouring_pages(isa, at_end):
    assert run_python(GUARDED.format(isa=isa, at_end=at_end, tests=HERE), timeout=300) == "ok"
