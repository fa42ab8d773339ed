"""Einstein's subscripts: from the text of a call and the shapes to the steps that compute it.

No element of an operand is looked at here, so that a recipe is made once for a text and its shapes::

    text, shapes -> terms, output -> operands without repeated and lonely labels -> pairs -> one product each
"""

from __future__ import annotations

import math
import operator
import string
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

    Shape = tuple[int, ...]

_LETTERS = string.ascii_uppercase + string.ascii_lowercase  # 0 to 51 of the form with lists


class Reduction(NamedTuple):
    """What is done to one operand before anything else, in this order; None where there is nothing to do."""

    squeezed: Shape | None  # axes of length 1 that are broadcast
    diagonal: tuple[list[int], list[int]] | None  # repeated labels: subscripts of a view
    summed: tuple[Shape, Shape] | None  # labels of no other operand: axes, and the shape with them in one


class Pair(NamedTuple):
    """A product of two operands: their axes and shapes as factors, and the shape of the result."""

    axes: tuple[Shape, Shape]
    shapes: tuple[Shape, Shape]
    contracted: bool  # matrices or stacks of them; else factors that broadcast
    product: Shape  # the shape that the product has
    result: Shape  # the same with one axis for each label
    plain: bool  # these differ by axes of length 1 at most


class Step(NamedTuple):
    """The operands `left` and `right`, by number, become the next number."""

    left: int
    right: int
    pair: Pair


class Recipe(NamedTuple):
    """A whole call."""

    reductions: tuple[Reduction, ...]
    steps: tuple[Step, ...]
    axes: Shape  # from the last result to the output
    shape: Shape  # of the output


def written(subscripts: Any, operands: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """Both forms of a call as the first: its text without spaces, and the operands."""
    if isinstance(subscripts, str):
        return subscripts.replace(" ", ""), operands
    items = (subscripts, *operands)
    if len(items) < 2:
        raise ValueError("einsum: needs a string of subscripts, or operands each with its list of them")
    given = len(items) // 2 * 2
    text = ",".join(_letters(sublist) for sublist in items[1:given:2])
    return (text + "->" + _letters(items[-1]) if len(items) > given else text), items[:given:2]


def _letters(sublist: Any) -> str:
    wrong = f"einsum: an operand's subscripts must be a list of integers and Ellipsis, not {sublist!r}"
    try:
        numbers = ["..." if s is Ellipsis else operator.index(s) for s in sublist]
    except TypeError:
        raise TypeError(wrong) from None
    for s in numbers:
        if not isinstance(s, str) and not 0 <= s < len(_LETTERS):
            raise ValueError(f"einsum: subscript {s} is not in 0 to {len(_LETTERS) - 1}")
    return "".join(s if isinstance(s, str) else _LETTERS[s] for s in numbers)


def _checked(term: str, text: str) -> str:
    """A term with one dot for its ellipsis."""
    short = term.replace("...", ".", 1)
    if short.count(".") > 1 or ("." in short and "..." not in term):
        raise ValueError(f"einsum: {text!r}: a dot of {term!r} is not part of one ellipsis '...'")
    for letter in short:
        if letter != "." and letter not in _LETTERS:
            raise ValueError(f"einsum: {text!r}: {letter!r} is not a letter")
    return short


def _broadcast(count: int) -> str:
    """Labels of that many dimensions under an ellipsis; the last dimension has the same one everywhere."""
    return "".join(chr(0x100 + i) for i in reversed(range(count)))


@lru_cache(maxsize=1024)
def labelled(text: str, shapes: tuple[Shape, ...]) -> tuple[list[str], str, dict[str, int]]:
    """Terms and output with one character for each dimension, and the length of each label."""
    terms, output = _parsed(text, shapes)
    return terms, output, _sizes(text, terms, shapes)


def _parsed(text: str, shapes: Sequence[Shape]) -> tuple[list[str], str]:
    inputs, arrow, right = text.partition("->")
    terms = [_checked(term, text) for term in inputs.split(",")]
    if len(terms) != len(shapes):
        raise ValueError(f"einsum: {text!r} is about {len(terms)} operand(s); {len(shapes)} are given")
    widest = 0
    for i, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        extra = len(shape) - len(term.replace(".", ""))
        if extra < 0 or (extra > 0 and "." not in term):
            raise ValueError(f"einsum: {text!r}: operand {i} is {shape}, not of {term.replace('.', '...')!r}")
        terms[i] = term.replace(".", _broadcast(extra))
        widest = max(widest, extra)
    count = Counter("".join(terms))
    if not arrow:
        once = (label for label in sorted(count) if count[label] == 1 and label in _LETTERS)
        return terms, _broadcast(widest) + "".join(once)
    output = _checked(right, text)
    if widest and "." not in output:
        raise ValueError(f"einsum: {text!r}: the output needs '...' for what the ellipses stand for")
    output = output.replace(".", _broadcast(widest))
    for label in output:
        if label not in count or output.count(label) > 1:
            raise ValueError(f"einsum: {text!r}: output label {label!r} is no input's, or stands there twice")
    return terms, output


def _sizes(text: str, terms: Sequence[str], shapes: Sequence[Shape]) -> dict[str, int]:
    """Axes of length 1 are broadcast, but not along a diagonal."""
    sizes: dict[str, int] = {}
    for i, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        own: dict[str, int] = {}
        for label, n in zip(term, shape, strict=True):
            size = sizes.setdefault(label, n)
            if own.setdefault(label, n) != n or (size != n and 1 not in (size, n)):
                name = f"label '{label}'" if label in _LETTERS else "a dimension under '...'"
                other = own[label] if own[label] != n else size
                raise ValueError(f"einsum: {text!r}: operand {i} is {shape}; {name} is {n} long, and {other}")
            sizes[label] = n if size == 1 else size
    return sizes


def _reduced(
    term: str, shape: Shape, sizes: Mapping[str, int], needed: Collection[str]
) -> tuple[Reduction, str]:
    """The reduction of an operand, and its labels after it."""
    squeezed = tuple(i for i, label in enumerate(term) if shape[i] != sizes[label])
    term = "".join(label for i, label in enumerate(term) if i not in squeezed)
    labels = "".join(dict.fromkeys(term))
    diagonal = None
    if labels != term:
        diagonal = [labels.index(label) for label in term], list(range(len(labels)))
    kept = "".join(label for label in labels if label in needed)
    summed = None
    if kept != labels:
        lonely = [label for label in labels if label not in needed]
        axes = tuple(labels.index(label) for label in (*kept, *lonely))
        summed = axes, (*_lengths(kept, sizes), math.prod(_lengths(lonely, sizes)))
    return Reduction(squeezed or None, diagonal, summed), kept


def _lengths(labels: Iterable[Any], sizes: Mapping[Any, int]) -> Shape:
    return tuple(sizes[label] for label in labels)


def pair(
    left: Sequence[Any],
    right: Sequence[Any],
    needed: Collection[Hashable],
    sizes: Mapping[Any, int],
    output: Sequence[Any] | None = None,
) -> tuple[Pair, tuple[Any, ...]]:
    """How operands with these labels, each once in each, are multiplied, and the labels of the result.

    Labels of both are contracted unless they are needed, in their order in `left`. Where there are none to
    contract, the result is in the order of `output`.
    """
    batch = [label for label in left if label in right and label in needed]
    inner = [label for label in left if label in right and label not in needed]
    rows = [label for label in left if label not in right]
    columns = [label for label in right if label not in left]
    result = (*batch, *rows, *columns)
    if inner:
        orders: Any = [*batch, *rows, *inner], [*batch, *inner, *columns]
        stack = _lengths(batch, sizes)
        m, k, n = (math.prod(_lengths(labels, sizes)) for labels in (rows, inner, columns))
        shapes: Any = ((*stack, m, k), (*stack, k, n))
        product: Shape = (*stack, m, n)
    else:
        result = result if output is None else tuple(output)
        orders = [[label for label in result if label in term] for term in (left, right)]
        shapes = tuple(tuple(sizes[x] if x in term else 1 for x in result) for term in (left, right))
        product = _lengths(result, sizes)
    axes = tuple(left.index(x) for x in orders[0]), tuple(right.index(x) for x in orders[1])
    plain = not inner or max(len(rows), len(columns)) <= 1
    return Pair(axes, shapes, bool(inner), product, _lengths(result, sizes), plain), result


def _path(terms: Sequence[str], output: str, sizes: Mapping[str, int], optimize: Any) -> list[Any]:
    """Groups of positions as numpy.einsum_path gives them: a group is taken out, its product appended."""
    labels = dict.fromkeys("".join((*terms, output)))
    named = len(terms) > 2 or optimize not in (True, "greedy", "optimal")
    if optimize is False or optimize is None or not named or len(labels) > len(_LETTERS):
        return [range(len(terms))]
    alias = str.maketrans(dict(zip(labels, _LETTERS, strict=False)))
    text = f"{','.join(terms)}->{output}".translate(alias)
    shapes = [np.broadcast_to(0.0, _lengths(term, sizes)) for term in terms]
    given = list(optimize) if isinstance(optimize, tuple) else optimize
    path: list[Any] = np.einsum_path(text, *shapes, optimize=given)[0]
    return path[1:]


@lru_cache(maxsize=1024, typed=True)
def recipe(text: str, shapes: tuple[Shape, ...], optimize: Any) -> Recipe:
    """The steps of a call with two operands or more."""
    terms, output, sizes = labelled(text, shapes)
    own = [{x for x, n in zip(*of, strict=True) if n == sizes[x]} for of in zip(terms, shapes, strict=True)]
    count = Counter(label for labels in own for label in labels)
    needed = {label for label in count if count[label] > 1 or label in output}
    reductions, live = [], []
    for i, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        reduction, kept = _reduced(term, shape, sizes, needed)
        reductions.append(reduction)
        live.append((i, tuple(kept)))
    steps: list[Step] = []
    for group in _path(["".join(term) for _, term in live], output, sizes, optimize):
        members = [live.pop(i) for i in sorted(group, reverse=True)][::-1]
        left, labels = members.pop(0)
        while members:
            right, other = members.pop(0)
            still = set(output).union(*(t for _, t in members), *(t for _, t in live))
            last = not members and not live
            how, labels = pair(labels, other, still, sizes, output if last else None)
            steps.append(Step(left, right, how))
            left = len(terms) + len(steps) - 1
        live.append((left, labels))
    axes = tuple(live[0][1].index(label) for label in output)
    return Recipe(tuple(reductions), tuple(steps), axes, _lengths(output, sizes))


@lru_cache(maxsize=1024)
def tensor_pair(a: Shape, b: Shape, axes_a: Shape, axes_b: Shape) -> Pair:
    """The product of arrays of these shapes, summed over these axes of both; tensordot's arguments."""
    counted = []
    for shape, axes in ((a, axes_a), (b, axes_b)):
        for i in axes:
            if not -len(shape) <= i < len(shape):
                raise IndexError(f"tensordot: a is {a}, b is {b}; there is no axis {i} of {shape}")
        counted.append([i % len(shape) for i in axes])
        if len(set(counted[-1])) < len(axes):
            raise ValueError(f"tensordot: a is {a}, b is {b}; {axes} of {shape} has an axis twice")
    of_a, of_b = counted
    if [a[i] for i in of_a] != [b[i] for i in of_b]:
        raise ValueError(f"tensordot: a is {a}, b is {b}; axes {axes_a} and {axes_b} differ in length")
    labels = list(range(len(a), len(a) + len(b)))
    for i, j in zip(of_a, of_b, strict=True):
        labels[j] = i
    sizes = dict(zip((*range(len(a)), *labels), (*a, *b), strict=True))
    return pair(range(len(a)), labels, set(sizes).difference(of_a), sizes)[0]
