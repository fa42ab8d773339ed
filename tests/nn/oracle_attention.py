"""docs/rows.md, "Attention", a second time: one head of queries, keys and values, and stacks of them.

Matrices of float32 or float64. `seen` says which keys a query sees: of shape (queries, keys).
"""

import numpy as np
import oracle
from oracle import fma
from oracle_rows import exp2_of_negative, largest, log, quiet, row_dot, row_sum

CHUNK = 256
LOG2_E, LN_2 = float.fromhex("0x1.71547652b82fep0"), float.fromhex("0x1.62e42fefa39efp-1")


class Scores:
    """Of one head: what q and k give, times log2(e), and which keys are seen; factors of weights."""

    @quiet
    def __init__(
        self,
        q,
        k,
        seen,
        *,
        scale=None,
        bias=None,
        slope=None,
        positions=None,
        softcap=None,
        factors=None,
    ):
        t = q.dtype.type
        if scale is None:
            scale = 1 / np.sqrt(q.shape[1]) if q.shape[1] else 1
        self.t, self.keys, self.scale = t, len(k), t(scale)
        self.q = q * t(scale * LOG2_E)
        s = oracle.matmul2(self.q, np.ascontiguousarray(k.T))
        self.cap_slopes = None
        if softcap is not None:
            limit = t(softcap * LOG2_E)
            s = limit * oracle.activate("tanh", s / limit)
            self.cap_slopes = t(1) - (s / limit) * (s / limit)
        if bias is not None:
            s = fma(np.broadcast_to(bias, s.shape), np.full_like(s, LOG2_E), s)
        if slope is not None:
            distances = abs(np.asarray(positions)[:, None] - np.arange(len(k))).astype(q.dtype)
            s = fma(np.full_like(s, -t(slope * LOG2_E)), distances, s)
        self.seen = np.ones(s.shape, bool) if seen is None else seen
        self.of = np.where(self.seen, s, t(-np.inf))
        self.factors = factors

    def chunks(self):
        return [slice(j, j + CHUNK) for j in range(0, self.keys, CHUNK)]

    def kept(self, x, keys):
        """Weights of those keys, or their gradients, after dropout."""
        return x if self.factors is None else x * self.factors[:, keys]


def chain(weights, seen, v):
    """Sums of weighted values over the keys that are seen, in increasing order."""
    total = np.zeros((len(weights), v.shape[1]), v.dtype)
    for j in range(len(v)):
        more = fma(np.broadcast_to(weights[:, j, None], total.shape), v[j][None], total)
        total = np.where(seen[:, j, None], more, total)
    return total + v.dtype.type(0)


@quiet
def attention(q, k, v, seen=None, **others):
    """The result, and the logarithms of sums of exponentials."""
    scores = Scores(q, k, seen, **others)
    t = scores.t
    out, total = np.zeros((len(q), v.shape[1]), v.dtype), np.zeros(len(q), v.dtype)
    most = np.full(len(q), -np.inf, v.dtype)
    for keys in scores.chunks():
        s = scores.of[:, keys]
        m = largest(s)
        weights = exp2_of_negative(s - np.where(m == -np.inf, t(0), m)[:, None])
        of_chunk, o = row_sum(weights), chain(scores.kept(weights, keys), scores.seen[:, keys], v[keys])
        there = of_chunk != 0
        m = np.where(there, m, most)
        joined = np.where(m > most, m, most)
        old, new = (np.where(x == joined, t(1), exp2_of_negative(x - joined)) for x in (most, m))
        new = np.where(there, new, t(0))
        merged = fma(o, np.broadcast_to(new[:, None], o.shape), out * old[:, None])
        out = np.where(((new == 0) & (old == 1))[:, None], out, merged)
        total, most = fma(of_chunk, new, total * old), joined
    return np.where(total[:, None] == 0, t(0), out * (t(1) / total)[:, None]), most * t(LN_2) + log(total)


@quiet
def head_gradients(dout, q, k, v, out, lse, seen=None, **others):
    """For each chunk of keys a list of what chunks of queries give to v and k; the gradient of q."""
    scores = Scores(q, k, seen, **others)
    zero = scores.t(0)
    shift = row_dot(out, dout)
    clean = np.where(np.isfinite(k), k, zero)
    dq = np.zeros_like(q)
    found = []
    for keys in scores.chunks():
        s, cap = scores.of[:, keys], scores.cap_slopes
        hidden = s == -np.inf
        p = np.where(hidden, zero, exp2_of_negative(s - (lse * scores.t(LOG2_E))[:, None]))
        dp = scores.kept(oracle.matmul2(dout, np.ascontiguousarray(v[keys].T)), keys)
        ds = p * (dp - shift[:, None])
        p = scores.kept(p, keys)
        ds = np.where(hidden, zero, ds if cap is None else ds * cap[:, keys])
        dq = dq + oracle.matmul2(ds, clean[keys])
        parts = [slice(i, i + CHUNK) for i in range(0, len(q), CHUNK)]
        found.append(
            [
                (
                    oracle.matmul2(np.ascontiguousarray(p[i].T), dout[i]),
                    oracle.matmul2(np.ascontiguousarray(ds[i].T), scores.q[i]),
                )
                for i in parts
            ]
        )
    return found, dq * scores.scale


@quiet
def gradients(dout, q, k, v, out, lse, others):
    """Of (heads, rows, size) and kv heads that neighbouring heads share; others: arguments of each head."""
    group = len(q) // len(k)
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for h, more in enumerate(others):
        g = h // group
        found, dq[h] = head_gradients(dout[h], q[h], k[g], v[g], out[h], lse[h], **more)
        for c, parts in enumerate(found):
            keys = slice(c * CHUNK, (c + 1) * CHUNK)
            for to_v, to_k in parts:
                dv[g][keys] = dv[g][keys] + to_v
                dk[g][keys] = dk[g][keys] + to_k
    return dq, dk * dk.dtype.type(LN_2), dv
