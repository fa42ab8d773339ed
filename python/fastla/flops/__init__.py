"""Operations, bytes and times of networks, from their sizes alone: no array is made.

Operations (`Cost.flops`) are those of the matrix products, two for each multiply-add. Bytes are those that
the products cannot do without: each operand read once, each result written once. What is done element by
element (bias, activation, softmax, norm, residual) is taken as part of the product before it, and adds
parameters alone. Everything is an exact Python integer.

>>> from fastla import flops
>>> flops.linear(32 * 1024, 1024, 1024).flops
68719476736
>>> flops.GPT2_SMALL.parameters
124439808
"""

from ._blocks import block_parts, transformer_block
from ._cost import Cost, Roof, Time
from ._layers import attention, embedding, linear, matmul, mlp, norm
from ._models import (
    BERT_BASE,
    BERT_LARGE,
    GPT2_LARGE,
    GPT2_MEDIUM,
    GPT2_SMALL,
    GPT2_XL,
    MODELS,
    Transformer,
)
from ._others import index_bits, pagerank, vertices

__all__ = [
    "BERT_BASE",
    "BERT_LARGE",
    "GPT2_LARGE",
    "GPT2_MEDIUM",
    "GPT2_SMALL",
    "GPT2_XL",
    "MODELS",
    "Cost",
    "Roof",
    "Time",
    "Transformer",
    "attention",
    "block_parts",
    "embedding",
    "index_bits",
    "linear",
    "matmul",
    "mlp",
    "norm",
    "pagerank",
    "transformer_block",
    "vertices",
]
