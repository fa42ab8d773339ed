"""Models as they are published: GPT-2, BERT, Llama."""

from ._bert import Bert
from ._bert_config import BertConfig
from ._gpt2 import GPT2, GPT2Config
from ._llama import Llama, LlamaConfig

__all__ = ["GPT2", "Bert", "BertConfig", "GPT2Config", "Llama", "LlamaConfig"]
