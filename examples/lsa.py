"""Latent semantic analysis of Python's own documentation: its topics, and the pages nearest to a question.

    python examples/lsa.py
    python examples/lsa.py "what happens to an exception that nobody catches" "loop over a sequence"

The pages are those of `help()` for the language's topics, which ship with Python.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from fastla import plot, text

STOP_WORDS = """an and any are as at be been but by can for from has have if in into is it its may more must
no not of on only or other see so such than that the their then there these they this to was were when which
will with would you""".split()
QUESTIONS = ["catch an exception", "loop over a sequence", "divide two integers", "import a module"]


def load() -> dict[str, str]:
    """Pages by their names."""
    from pydoc_data.topics import topics

    return {name: topics[name] for name in sorted(topics)}


def analyse(pages: dict[str, str], k: int) -> text.LSAResult:
    """Words of letters alone that are on two pages at least and half of them at most."""
    weights = text.tfidf(pages.values(), token_pattern=r"[^\W\d_]{2,}", stop_words=STOP_WORDS, min_df=2,
                         max_df=0.5, sublinear_tf=True)
    return text.lsa(weights, min(k, *weights.matrix.shape))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("questions", nargs="*", default=QUESTIONS, help="in words, each in quotes")
    parser.add_argument("--dimensions", type=int, default=30, help="how many (30)")
    parser.add_argument("--topics", type=int, default=8, help="how many are printed (8)")
    parser.add_argument("--nearest", type=int, default=3, help="pages for each question (3)")
    parser.add_argument("--out", type=Path, help="the file of a picture of the pages along two dimensions")
    given = parser.parse_args()
    pages = load()
    names, start = list(pages), time.perf_counter()
    found = analyse(pages, given.dimensions)
    print(f"{len(names)} pages, {len(found.terms)} terms, {len(found.s)} dimensions, "
          f"{time.perf_counter() - start:.2f} s")
    for i, strongest in enumerate(found.topics(7)[: given.topics], 1):
        print(f"topic {i}: " + ", ".join(f"{'-' * (weight < 0)}{term}" for term, weight in strongest))
    for question in given.questions:
        try:
            numbers, cosines = found.query(question, given.nearest)
            near = [f"{names[i]} {cosine:.2f}" for i, cosine in zip(numbers, cosines, strict=True)]
        except ValueError as error:  # no word of it is on any page
            near = [str(error)]
        print(f"{question}? " + ", ".join(near))
    if given.out:
        picture = plot.ProjectionDisplay(found.vectors, dims=(1, 2)).plot()
        for name, point in zip(names, picture.points, strict=True):
            picture.ax_.annotate(name, point, fontsize=5)
        picture.figure_.set_size_inches(9, 7)
        picture.figure_.savefig(given.out, dpi=150)
        print(f"picture: {given.out}")


if __name__ == "__main__":
    main()
