"""Attention of whole stacks by the oracle, with fastla.nn.attention's arguments."""

import functools
import math

import numpy as np
import oracle_attention
from row_cases import wide


def positions(queries, keys, causal):
    return np.arange(queries) + (0 if causal == "upper_left" else keys - queries)


def seen(queries, keys, causal=False, window=None):
    """Which keys queries see, but for the mask."""
    left, right = window or (-1, -1)
    right = 0 if causal else right
    distance = np.arange(keys) - positions(queries, keys, causal)[:, None]
    found = np.ones((queries, keys), bool)
    if left >= 0:
        found &= distance >= -left
    if right >= 0:
        found &= distance <= right
    return found


def survivors(dropout_p, seed, shape, dtype):
    """What dropout makes of weights: splitmix64's numbers."""
    with np.errstate(over="ignore"):
        numbers = np.arange(1, math.prod(shape) + 1, dtype=np.uint64)
        z = np.uint64(seed) + numbers * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    z = z ^ (z >> np.uint64(31))
    kept = z.reshape(shape) >= np.uint64(int(dropout_p * 2.0**53) << 11)
    return np.where(kept, dtype.type(1 / (1 - dropout_p)), dtype.type(0))


class Stack:
    """q, k, v of (..., heads, rows, size), and what each head of queries meets."""

    def __init__(
        self,
        q,
        k,
        v,
        *,
        causal=False,
        window=None,
        mask=None,
        bias=None,
        alibi=None,
        dropout_p=0,
        rng=0,
        **numbers,
    ):
        self.dtype = np.result_type(q, k, v)
        self.q, self.k, self.v = (wide(x) for x in (q, k, v))
        queries, keys = q.shape[-2], k.shape[-2]
        self.lead = q.shape[:-2]
        self.group = q.shape[-3] // k.shape[-3] if q.ndim > 2 else 1
        self.seen = np.broadcast_to(seen(queries, keys, causal, window), (*self.lead, queries, keys))
        if mask is not None:
            self.seen = self.seen & mask
        self.bias = bias if bias is None else np.broadcast_to(wide(bias), self.seen.shape)
        self.alibi, self.numbers, self.factors = alibi, numbers, None
        if dropout_p:
            self.factors = survivors(dropout_p, rng, self.seen.shape, self.q.dtype)
        self.positions = positions(queries, keys, causal)

    def arguments(self, at):
        bias = None if self.bias is None else self.bias[at]
        slope = None if self.alibi is None else self.alibi[at[-1]]
        return self.numbers | {
            "seen": self.seen[at],
            "bias": bias,
            "slope": slope,
            "positions": self.positions,
            "factors": None if self.factors is None else self.factors[at],
        }

    def key_head(self, at):
        return (*at[:-1], at[-1] // self.group) if at else at

    def attention(self):
        """out and lse."""
        out = np.empty((*self.lead, self.q.shape[-2], self.v.shape[-1]), self.q.dtype)
        lse = np.empty(out.shape[:-1], out.dtype)
        for at in np.ndindex(*self.lead):
            kv = self.key_head(at)
            out[at], lse[at] = oracle_attention.attention(
                self.q[at], self.k[kv], self.v[kv], **self.arguments(at)
            )
        return out.astype(self.dtype), lse

    def gradients(self, dout, out, lse):
        """Of stacks with the same leading dimensions."""
        dout, out = wide(dout), wide(out)
        found = [np.empty_like(x) for x in (self.q, self.k, self.v)]
        for at in np.ndindex(*self.lead[:-1]):
            others = [self.arguments((*at, h)) for h in range(self.lead[-1])]
            of_all = (dout, self.q, self.k, self.v, out, lse)
            for to, x in zip(
                found, oracle_attention.gradients(*(x[at] for x in of_all), others), strict=True
            ):
                to[at] = x
        return tuple(x.astype(self.dtype) for x in found)


def stack(rng, queries, keys, size=8, value_size=None, heads=1, kv_heads=None, batch=(), dtype=np.float32):
    """q, k, v, whose scores have a standard deviation of 2."""
    values = size if value_size is None else value_size
    kv_heads = kv_heads or heads
    shapes = ((heads, queries, size), (kv_heads, keys, size), (kv_heads, keys, values))
    q, k, v = (rng.standard_normal((*batch, *s)) for s in shapes)
    return tuple(x.astype(dtype) for x in (2 * q, k, v))


def options(rng, queries, keys, heads):
    """Ways to say what is seen and what is added, one by one and together."""
    mask = rng.random((heads, queries, keys)) < 0.7
    bias = rng.standard_normal((heads, queries, keys))
    alibi = np.exp2(-np.arange(1, heads + 1.0))
    return {
        "plain": {},
        "causal": {"causal": True},
        "upper left": {"causal": "upper_left"},
        "window": {"window": (100, 30)},
        "narrow window, causal": {"window": (3, 0), "causal": True},
        "mask": {"mask": mask},
        "one mask": {"mask": mask[0, :1]},
        "bias": {"bias": bias},
        "bias of keys": {"bias": bias[:1, :1]},
        "bias of queries": {"bias": bias[:, :, :1]},
        "alibi": {"alibi": alibi},
        "softcap": {"softcap": 2.5},
        "scale": {"scale": 0.3},
        "dropout": {"dropout_p": 0.3, "rng": 2**60 + 3},
        "all": {
            "causal": True,
            "window": (300, -1),
            "mask": mask,
            "bias": bias,
            "alibi": alibi,
            "softcap": 2.5,
            "scale": 0.3,
        },
    }


OPTIONS = tuple(options(np.random.default_rng(0), 1, 1, 1))


@functools.lru_cache(maxsize=400)
def case(name, queries, keys, size, value_size, heads, kv_heads, dtype):
    """Operands, arguments, and the oracle's answer."""
    rng = np.random.default_rng([queries, keys, size])
    operands = stack(rng, queries, keys, size, value_size, heads, kv_heads, (), dtype)
    given = options(rng, queries, keys, heads)[name]
    if "bias" in given:
        given["bias"] = given["bias"].astype(wide(operands[0]).dtype)
    return operands, given, Stack(*operands, **given).attention()
