"""Neural networks on the products of fastla: functions that take arrays, their backward passes, layers.

Functions are pure: they take arrays and give arrays. What `f` gives goes back through `f_backward`, which
takes the gradient of the result first. Layers hold parameters; there is no hidden tape. float32 and float64
are computed as they are, float16 and bfloat16 as float32 and rounded once; integers are taken as float64.
"""

from ._activations import activation, activation_backward
from ._attention import AttentionGradients, attention, attention_backward
from ._block import TransformerBlock
from ._cache import KVCache
from ._functions import gelu, relu, sigmoid, silu, tanh
from ._losses import cross_entropy, cross_entropy_backward
from ._multi_head import MultiHeadAttention
from ._normalised import NormGradients
from ._norms import layer_norm, layer_norm_backward, rms_norm, rms_norm_backward
from ._paged_cache import PagedKVCache
from ._rotary import rotary, rotary_backward, rotary_frequencies
from ._sdpa import scaled_dot_product_attention
from ._softmax import log_softmax, log_softmax_backward, softmax, softmax_backward
from ._tokenizer import Tokenizer
from .models import GPT2, Bert, BertConfig, GPT2Config, Llama, LlamaConfig

__all__ = [
    "GPT2",
    "AttentionGradients",
    "Bert",
    "BertConfig",
    "GPT2Config",
    "KVCache",
    "Llama",
    "LlamaConfig",
    "MultiHeadAttention",
    "NormGradients",
    "PagedKVCache",
    "Tokenizer",
    "TransformerBlock",
    "activation",
    "activation_backward",
    "attention",
    "attention_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "gelu",
    "layer_norm",
    "layer_norm_backward",
    "log_softmax",
    "log_softmax_backward",
    "relu",
    "rms_norm",
    "rms_norm_backward",
    "rotary",
    "rotary_backward",
    "rotary_frequencies",
    "scaled_dot_product_attention",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_backward",
    "tanh",
]
