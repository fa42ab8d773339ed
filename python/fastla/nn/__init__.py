"""Neural networks on the products of fastla: functions that take arrays, their backward passes, layers.

Functions are pure: they take arrays and give arrays. What `f` gives goes back through `f_backward`, which
takes the gradient of the result first. Layers hold parameters; there is no hidden tape. float32 and float64
are computed as they are, float16 and bfloat16 as float32 and rounded once; integers are taken as float64.
"""

from ._activations import activation, activation_backward
from ._attention import AttentionGradients, attention, attention_backward
from ._block import TransformerBlock
from ._cache import KVCache
from ._callbacks import EarlyStopping, Epoch
from ._classes import predict, predict_proba, score
from ._dropout import Dropout
from ._embedding import Embedding, Unembedding, embedding_backward
from ._files import load_parameters, save_parameters
from ._functions import gelu, relu, sigmoid, silu, tanh
from ._initial import he_normal, xavier_normal
from ._layers import Layer, LayerNorm, Linear, RMSNorm
from ._linear import LinearGradients, linear, linear_backward
from ._loop import History
from ._lora import merge_lora, unmerge_lora
from ._losses import cross_entropy, cross_entropy_backward
from ._multi_head import MultiHeadAttention
from ._normalised import NormGradients
from ._norms import layer_norm, layer_norm_backward, rms_norm, rms_norm_backward
from ._optimizer import Optimizer, clip_by_global_norm
from ._optimizers import SGD, Adam, AdamW
from ._paged_cache import PagedKVCache
from ._rotary import rotary, rotary_backward, rotary_frequencies
from ._schedules import constant_schedule, cosine_schedule, linear_schedule, step_schedule
from ._sdpa import scaled_dot_product_attention
from ._sequential import MLP, Sequential
from ._similarity import cosine_similarity, most_similar
from ._softmax import log_softmax, log_softmax_backward, softmax, softmax_backward
from ._squares import mse, mse_backward
from ._tokenizer import Tokenizer
from ._training import fit
from .models import GPT2, Bert, BertConfig, GPT2Config, Llama, LlamaConfig

__all__ = [
    "GPT2",
    "MLP",
    "SGD",
    "Adam",
    "AdamW",
    "AttentionGradients",
    "Bert",
    "BertConfig",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "Epoch",
    "GPT2Config",
    "History",
    "KVCache",
    "Layer",
    "LayerNorm",
    "Linear",
    "LinearGradients",
    "Llama",
    "LlamaConfig",
    "MultiHeadAttention",
    "NormGradients",
    "Optimizer",
    "PagedKVCache",
    "RMSNorm",
    "Sequential",
    "Tokenizer",
    "TransformerBlock",
    "Unembedding",
    "activation",
    "activation_backward",
    "attention",
    "attention_backward",
    "clip_by_global_norm",
    "constant_schedule",
    "cosine_schedule",
    "cosine_similarity",
    "cross_entropy",
    "cross_entropy_backward",
    "embedding_backward",
    "fit",
    "gelu",
    "he_normal",
    "layer_norm",
    "layer_norm_backward",
    "linear",
    "linear_backward",
    "linear_schedule",
    "load_parameters",
    "log_softmax",
    "log_softmax_backward",
    "merge_lora",
    "most_similar",
    "mse",
    "mse_backward",
    "predict",
    "predict_proba",
    "relu",
    "rms_norm",
    "rms_norm_backward",
    "rotary",
    "rotary_backward",
    "rotary_frequencies",
    "save_parameters",
    "scaled_dot_product_attention",
    "score",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_backward",
    "step_schedule",
    "tanh",
    "unmerge_lora",
    "xavier_normal",
]
