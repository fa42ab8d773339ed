"""Attention is within derived bounds of extended precision, and ignores what is hidden."""

import attention_cases
import numpy as np
import pytest
from attention_cases import stack
from bounded import Bounded, bounded
from shapes import assert_same_bits

from fastla import nn


def number(x, u):
    """A constant, rounded."""
    return Bounded(x, u, u * abs(x))


LOG2_E = 1 / np.log(np.longdouble(2))


class Reference:
    """One head in extended precision, with bounds; `seen`: what is not hidden. Scores are times log2(e)."""

    def __init__(self, q, k, v, seen, scale=None, bias=None, slope=None, distance=None, softcap=None):
        self.q, self.k, self.v = bounded(q, k, v)
        u = self.q.u
        scale = np.longdouble(1 / np.sqrt(q.shape[1]) if scale is None else scale)
        self.scale, self.scaled = number(scale, u), self.q * number(scale * LOG2_E, u)
        self.seen, self.none, self.slopes = seen, ~seen.any(1), None
        s = self.scaled @ self.k.T
        if softcap is not None:
            limit = number(softcap * LOG2_E, u)
            t = (s / limit).tanh()
            s, self.slopes = limit * t, Bounded(1, u) - t * t
        if bias is not None:
            s = s + Bounded(bias, u) * number(LOG2_E, u)
        if slope is not None:
            s = s - number(slope * LOG2_E, u) * distance
        self.scores = s.where(seen, 0)
        self.most = np.where(seen, s.value, -np.inf).max(1, initial=-np.inf, keepdims=True)
        self.most = Bounded(np.where(self.none[:, None], 0, self.most), u)
        # 2^(s - m) 2^(m - M): two differences, neither larger than s - M, and a second exponential.
        d = self.scores - self.most
        self.weights = Bounded(d.value, u, d.error + u * abs(d.value) + 4 * u).exp2().where(seen, 0)
        self.total = self.weights.sum(1, 40).where(~self.none[:, None], 1)

    def out(self):
        return (self.weights @ self.v / self.total).where(~self.none[:, None], 0)

    def lse(self):
        # The maximum and the sum's logarithm err in opposite ways, if at all.
        most = Bounded(self.most.value, self.q.u, self.scores.error.max(1, keepdims=True))
        return (most * number(1 / LOG2_E, self.q.u) + self.total.log())[:, 0]

    def gradients(self, dout, out, lse):
        """Of q, k and v."""
        dout, out, lse = bounded(dout, out, np.where(self.none, 0, lse).astype(lse.dtype))
        level = (lse * number(LOG2_E, lse.u))[:, None]
        p = (self.scores - level).exp2().where(self.seen, 0)
        ds = p * (dout @ self.v.T - (dout * out).sum())
        ds = ds if self.slopes is None else ds * self.slopes
        ds = ds.where(self.seen, 0)
        dk = (ds.T @ self.scaled) * number(1 / LOG2_E, lse.u)
        return (ds @ self.k) * self.scale, dk, p.T @ dout


CASES = {
    "plain": {},
    "causal": {"causal": True},
    "upper left": {"causal": "upper_left"},
    "window": {"window": (30, 10)},
    "mask": {},
    "scale": {"scale": 1.5},
    "bias": {},
    "alibi": {"alibi": np.array([0.3])},
    "softcap": {"softcap": 1.5},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shape", [(7, 20, 8), (40, 300, 16), (3, 700, 64)], ids=str)
def test_values_and_gradients(dtype, name, shape):
    queries, keys, _ = shape
    rng = np.random.default_rng(20)
    q, k, v = (x[0] for x in stack(rng, *shape, dtype=dtype))
    arguments = dict(CASES[name])
    seen = attention_cases.seen(queries, keys, arguments.get("causal"), arguments.get("window"))
    others = {x: arguments[x] for x in ("scale", "softcap") if x in arguments}
    if name == "mask":
        arguments["mask"] = rng.random((queries, keys)) < 0.6
        arguments["mask"][1] = False
        seen = seen & arguments["mask"]
    if name == "bias":
        arguments["bias"] = others["bias"] = rng.standard_normal((queries, keys)).astype(dtype)
    if name == "alibi":
        others["slope"] = arguments["alibi"][0]
        others["distance"] = abs(np.arange(keys) - attention_cases.positions(queries, keys, False)[:, None])
    out, lse = nn.attention(q, k, v, **arguments, return_lse=True)
    reference = Reference(q, k, v, seen, **others)
    reference.out().check(out, name)
    kept = ~reference.none
    reference.lse()[kept].check(lse[kept], f"{name}, lse")
    assert (out[~kept] == 0).all() and (lse[~kept] == -np.inf).all()
    dout = rng.standard_normal(out.shape).astype(dtype)
    got = nn.attention_backward(dout, q, k, v, out, lse, **arguments)
    for what, x, want in zip("qkv", got, reference.gradients(dout, out, lse), strict=True):
        want.check(x, f"{name}, d{what}")


@pytest.mark.parametrize("name", ["causal", "bias", "softcap", "alibi"])
def test_gradients_by_differences(name):
    """Central differences in float64: of a sum of the result's elements."""
    rng = np.random.default_rng(21)
    q, k, v = stack(rng, 4, 6, 3, 2, 2, 1, dtype=np.float64)
    arguments = {
        "causal": {"causal": True},
        "bias": {"bias": rng.standard_normal((2, 4, 6))},
        "softcap": {"softcap": 1.2},
        "alibi": {"alibi": np.array([0.4, 0.1])},
    }[name]
    dout = rng.standard_normal((2, 4, 2))
    out, lse = nn.attention(q, k, v, **arguments, return_lse=True)
    got = nn.attention_backward(dout, q, k, v, out, lse, **arguments)
    h = 2.0**-17  # errors: h^2 times a third derivative, and rounding over h, about 1e-10 each
    for i, gradient in enumerate(got):
        for at in np.ndindex(gradient.shape):
            ends = []
            for step in (h, -h):
                operands = [x.copy() for x in (q, k, v)]
                operands[i][at] += step
                ends.append((nn.attention(*operands, **arguments) * dout).sum())
            assert abs((ends[0] - ends[1]) / (2 * h) - gradient[at]) < 1e-8, f"d{'qkv'[i]}{at}"


BAD = (np.nan, np.inf, -np.inf)


@pytest.mark.parametrize("queries", [1, 40])
@pytest.mark.parametrize("bad", BAD, ids=str)
def test_what_a_mask_hides_may_be_anything(isa, dtype, threads, queries, bad):
    rng = np.random.default_rng(22)
    q, k, v = stack(rng, queries, 600, 16, 12, 2, 1, dtype=dtype)
    mask = rng.random((600,)) < 0.5
    mask[256:512] = False  # a chunk of which nothing is seen
    bias = rng.standard_normal((queries, 600)).astype(dtype)
    want, lse = nn.attention(q, k, v, mask=mask, bias=bias, return_lse=True)
    dout = rng.standard_normal(want.shape).astype(dtype)
    back = nn.attention_backward(dout, q, k, v, want, lse, mask=mask, bias=bias)
    k[:, ~mask], v[:, ~mask] = bad, bad
    bias[:, ~mask] = bad
    with np.errstate(all="raise"):
        got, got_lse = nn.attention(q, k, v, mask=mask, bias=bias, return_lse=True, num_threads=threads)
        found = nn.attention_backward(dout, q, k, v, got, got_lse, mask=mask, bias=bias, num_threads=threads)
    assert_same_bits(got, want)
    assert_same_bits(got_lse, lse)
    for what, x, y in zip("qkv", found, back, strict=True):
        assert_same_bits(x, y, f"d{what}")
        if what != "q":
            assert (x[:, ~mask] == 0).all()


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_what_lies_ahead_may_be_anything(isa, dtype, bad):
    """Behind a causal mask, outside of a window, in the middle of tiles; who sees it gets what IEEE says."""
    rng = np.random.default_rng(23)
    q, k, v = stack(rng, 300, 300, 16, 12, dtype=dtype)
    whole = nn.attention(q, k, v, causal=True, window=(20, 0))
    v[:, 130, 3] = bad
    got = nn.attention(q, k, v, causal=True, window=(20, 0))
    sees = np.zeros(whole.shape, bool)
    sees[:, 130:151, 3] = True
    assert_same_bits(got[~sees], whole[~sees])
    assert_same_bits(got[sees], np.full(21, bad, dtype))
    v[:, 130, 3], k[:, 130] = 0, np.nan
    got = nn.attention(q, k, v, causal=True, window=(20, 0))
    sees[:, 130:151] = True
    assert np.isnan(got[sees]).all()
    assert_same_bits(got[~sees], whole[~sees])


@pytest.mark.parametrize("num_threads", [1, 2, 8])
@pytest.mark.parametrize("queries", [5, 40])
def test_a_first_chunk_that_bias_hides_is_left_out(isa, dtype, num_threads, queries):
    """Then its values may be anything, on any number of threads."""
    q, k, v = stack(np.random.default_rng(27), queries, 3000, 64, 64, dtype=dtype)
    for first in (256, 0):
        hidden = slice(first, first + 256)
        bias = np.zeros(3000, dtype)
        bias[hidden] = -np.inf
        want = nn.attention(q, k, v, bias=bias)
        with_nan = v.copy()
        with_nan[:, hidden] = np.nan
        assert_same_bits(nn.attention(q, k, with_nan, bias=bias, num_threads=num_threads), want, first)


def test_rows_that_see_nothing(isa, dtype, threads):
    rng = np.random.default_rng(24)
    q, k, v = stack(rng, 50, 270, 16, dtype=dtype)
    mask = np.ones((50, 270), bool)
    mask[::3] = False
    with np.errstate(all="raise"):
        out, lse = nn.attention(q, k, v, mask=mask, return_lse=True, num_threads=threads)
        back = nn.attention_backward(np.ones_like(out), q, k, v, out, lse, mask=mask)
    assert_same_bits(out[:, ::3], np.zeros((1, 17, 16), dtype))
    assert (lse[:, ::3] == -np.inf).all() and np.isfinite(lse[:, 1::3]).all()
    assert (back.q[:, ::3] == 0).all() and all(np.isfinite(x).all() for x in back)
    # More queries than keys: the first ones lie before all keys.
    early, lse = nn.attention(q, k[:, :20], v[:, :20], causal=True, return_lse=True)
    assert (early[:, :30] == 0).all() and (lse[:, :30] == -np.inf).all() and np.isfinite(lse[:, 30:]).all()
    hidden = nn.attention(q, k, v, bias=np.full((50, 270), -np.inf))
    assert (hidden == 0).all()


def test_special_scores(isa, dtype):
    inf, big = np.inf, np.finfo(dtype).max
    v = np.array([[1.0], [3.0], [5.0]], dtype)
    k = np.zeros((3, 1), dtype)
    for bias, want in (
        ([0, -inf, 0], 3),
        ([inf, 0, 0], np.nan),
        ([np.nan, 0, 0], np.nan),
        ([big / 2, 0, -big / 2], 1),
        ([big / 2, big / 2, -inf], 2),
        ([-big / 2, -inf, -inf], 1),
        ([big, 0, 0], np.nan),  # the largest numbers overflow: scores are times log2(e)
        ([-big, -big, 0], 5),
        ([-big, -big, -big], 0),
        ([-0.0, 0.0, -inf], 2),
    ):
        with np.errstate(all="raise"):
            got = nn.attention(k[:1], k, v, bias=np.array([bias], dtype))
        assert_same_bits(got, np.array([[want]], dtype), bias)
    for bad in BAD:
        q = np.array([[bad], [1]], dtype)
        got = nn.attention(q, np.ones((3, 1), dtype), v)
        assert np.isnan(got[0, 0]) or (bad == -inf and got[0, 0] == 0)
        assert got[1, 0] == 3


def test_huge_and_subnormal_values(isa, dtype):
    info = np.finfo(dtype)
    q, k = np.zeros((2, 4), dtype), np.zeros((2, 4), dtype)
    v = np.array([[info.max / 4, info.smallest_subnormal * 8, -0.0], [info.max / 4, 0, -0.0]], dtype)
    got = nn.attention(q, k, v)
    assert_same_bits(got, np.array([[info.max / 4, info.smallest_subnormal * 4, 0]] * 2, dtype))
