"""ONNX's own test cases of the operators that fastla has, by way of an adapter from its arguments to ours."""

import importlib

import attention_cases
import numpy as np
import pytest

import fastla
from fastla import nn

pytest.importorskip("onnx", reason="needs the package onnx")
from onnx import helper
from onnx.backend.test.case import node


def gemm(a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):
    a, b = a.T if transA else a, b.T if transB else b
    full = None if c is None else np.broadcast_to(c, (a.shape[0], b.shape[1]))
    return fastla.gemm(a, b, alpha=alpha, beta=beta if c is not None else 0.0, c=full)


def layer_normalization(x, weight, bias=None, *, axis=-1, epsilon=1e-5, stash_type=1):
    """Means and reciprocal roots, which ONNX asks for too, are those of our result: y = (x - mean) root."""
    y = nn.layer_norm(x, weight, bias, axis=axis, eps=epsilon)
    shape = x.shape[: axis % x.ndim]
    flat = x.reshape(*shape, -1)
    ones = np.ones(flat.shape[-1], x.dtype)
    count = x.dtype.type(ones.size)
    mean = fastla.matmul(flat, ones) / count
    away = flat - mean[..., None]
    root = 1 / np.sqrt(fastla.matmul(away * away, ones) / count + x.dtype.type(epsilon))
    return tuple([y, *(v.reshape(shape + (1,) * (x.ndim - len(shape))) for v in (mean, root))])


def heads(x, count):
    """(batch, rows, heads x size) as (batch, heads, rows, size)."""
    return x.reshape(*x.shape[:2], count, -1).swapaxes(1, 2)


class Attention:
    """One node: what hides keys becomes causal, window and mask, what is added becomes bias."""

    def __init__(
        self,
        q,
        k,
        v,
        mask=None,
        past_k=None,
        past_v=None,
        lengths=None,
        *,
        q_num_heads=0,
        kv_num_heads=0,
        is_causal=0,
        left_window_size=-1,
        right_window_size=-1,
        scale=None,
        softcap=0.0,
        qk_matmul_output_mode=0,
        softmax_precision=None,
    ):
        self.flat = q.ndim == 3
        if self.flat:
            q, k, v = heads(q, q_num_heads), heads(k, kv_num_heads), heads(v, kv_num_heads)
        past = 0 if past_k is None else past_k.shape[2]
        if past_k is not None:
            k, v = np.concatenate([past_k, k], 2), np.concatenate([past_v, v], 2)
        self.q, self.k, self.v, self.scale = q, k, v, scale
        self.softcap, self.mode = softcap or None, qk_matmul_output_mode
        self.mask, self.bias = self.split(mask)
        queries, keys = q.shape[2], k.shape[2]
        self.causal, self.window = False, None
        first = np.array(past) if lengths is None else lengths.reshape(-1, 1, 1, 1) - queries
        window = (left_window_size, right_window_size)
        ours = {0: "upper_left", keys - queries: "lower_right"}.get(int(first)) if first.ndim == 0 else None
        if is_causal and ours:
            self.causal, self.window = ours, window
        elif ours == "lower_right":
            self.window = window
        elif is_causal or window != (-1, -1):
            left, right = window
            distance = np.arange(keys) - (np.arange(queries)[:, None] + first)
            self.hide((distance >= -left) | (left < 0))
            self.hide((distance <= (0 if is_causal else right)) | (right < 0 and not is_causal))
        if lengths is not None:
            self.hide(np.arange(keys) < lengths.reshape(-1, 1, 1, 1))

    def hide(self, seen):
        self.mask = seen if self.mask is None else self.mask & seen

    def split(self, mask):
        """What may be seen, and what is added. A mask that is too short hides the keys beyond it."""
        if mask is None:
            return None, None
        beyond = self.k.shape[2] - mask.shape[-1]
        hidden = False if mask.dtype == bool else -np.inf
        mask = np.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, max(beyond, 0))], constant_values=hidden)
        return (mask, None) if mask.dtype == bool else (mask != -np.inf, mask)

    def out(self):
        y = nn.attention(
            self.q,
            self.k,
            self.v,
            mask=self.mask,
            bias=self.bias,
            causal=self.causal,
            window=self.window,
            scale=self.scale,
            softcap=self.softcap,
        )
        return y.swapaxes(1, 2).reshape(y.shape[0], y.shape[2], -1) if self.flat else y

    def scores(self):
        """Scores, after the cap, with what is added and hidden, or as weights."""
        group = self.q.shape[1] // self.k.shape[1]
        root = np.sqrt(1 / np.sqrt(self.q.shape[-1]) if self.scale is None else self.scale)
        k = np.repeat(self.k, group, 1).swapaxes(2, 3)
        s = fastla.matmul(
            self.q.astype(np.float32) * np.float32(root), k.astype(np.float32) * np.float32(root)
        )
        if self.mode >= 1 and self.softcap:
            s = self.softcap * nn.tanh(s / self.softcap)
        if self.mode >= 2:
            s = s if self.bias is None else s + self.bias
            seen = attention_cases.seen(*s.shape[2:], self.causal, self.window)
            seen = seen if self.mask is None else seen & self.mask
            s = np.where(seen, s, -np.inf)
        if self.mode == 3:
            s = np.where(seen.any(-1, keepdims=True), nn.softmax(s), 0)
        return s.astype(self.q.dtype)


def attention(*inputs, **attributes):
    asked = Attention(*inputs, **attributes)
    return asked.out(), asked.k, asked.v, asked.scores()


ADAPTERS = {
    "Attention": attention,
    "Softmax": lambda x, axis=-1: nn.softmax(x, axis),
    "LogSoftmax": lambda x, axis=-1: nn.log_softmax(x, axis),
    "LayerNormalization": layer_normalization,
    "RMSNormalization": lambda x, weight, axis=-1, epsilon=1e-5, stash_type=1: nn.rms_norm(
        x, weight, axis=axis, eps=epsilon
    ),
    "Gelu": lambda x, approximate="none": nn.gelu(x, approximate=approximate),
    "Gemm": gemm,
    "MatMul": fastla.matmul,
}


def nodes():
    """(operator, case) of every case that is one node of ours; importing their modules makes them."""
    for operator in ADAPTERS:
        importlib.import_module(f"{node.__name__}.{operator.lower()}")
    for case in node._NodeTestCases:
        (first, *others) = case.model.graph.node
        if first.op_type in ADAPTERS and not others:
            yield pytest.param(first.op_type, case, id=case.name.removeprefix("test_"))


CASES = list(nodes())


def attribute(a):
    value = helper.get_attribute_value(a)
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize(("operator", "case"), CASES)
def test_case(operator, case):
    (asked,) = case.model.graph.node
    attributes = {a.name: attribute(a) for a in asked.attribute}
    for inputs, outputs in case.data_sets:
        given = iter(inputs)
        operands = [next(given) if name else None for name in asked.input]
        got = ADAPTERS[operator](*operands, **attributes)
        got = got if isinstance(got, tuple) else (got,)
        wanted = iter(outputs)
        for name, y in zip(asked.output, got, strict=False):
            if name:
                want = next(wanted)
                assert y.shape == want.shape and y.dtype == want.dtype, name
                # ONNX's numbers of bfloat16, below 1, were rounded to it at every step: 2^-9 each.
                atol = 4 * 2.0**-9 if want.dtype.name == "bfloat16" else case.atol
                np.testing.assert_allclose(
                    np.asarray(y, np.float64),
                    np.asarray(want, np.float64),
                    case.rtol,
                    atol,
                    err_msg=name,
                )
        assert next(wanted, None) is None, "an output that was not compared"


def test_there_are_cases():
    """None of the operators has lost its cases."""
    found = [p.values[0] for p in CASES]
    assert set(found) == set(ADAPTERS) and found.count("Attention") >= 93
