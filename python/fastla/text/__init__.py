"""Texts as matrices: weights of terms, and latent semantic analysis (extra ``fastla[text]``)."""

from ._lsa import LSAResult, lsa
from ._tfidf import TfidfResult, tfidf

__all__ = ["LSAResult", "TfidfResult", "lsa", "tfidf"]
