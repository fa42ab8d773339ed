"""fastla.flops against lists of products and published totals; docs/claims.md against fastla.flops."""

import doctest
import itertools
import pathlib
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastla import flops
from fastla.cli import main
from fastla.flops import Cost, Roof, Transformer

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "claims.md"
SMALL = Transformer(n_layer=2, n_head=4, d_model=8, vocab_size=11, n_positions=7)
SIZES = st.integers(0, 40)
COSTS = st.builds(Cost, *[SIZES] * 6)


def of_products(products, size=4):
    """The cost of an explicit list of (m, n, k), its multiply-adds counted one by one."""
    steps = sum(1 for m, n, k in products for _ in itertools.product(range(m), range(n), range(k)))
    read = sum(m * k + k * n for m, n, k in products)
    written = sum(m * n for m, n, k in products)
    return 2 * steps, size * read, size * written, len(products)


def four(cost):
    return cost.flops, cost.bytes_read, cost.bytes_written, cost.products


@pytest.mark.parametrize("method", [Cost.backward, Cost.training, Cost.time, Roof.measured, Transformer.parts,
                                    Transformer.forward, Transformer.backward, Transformer.training_step])
def test_examples_of_methods(method):
    (test,) = doctest.DocTestFinder(recurse=False).find(method, method.__qualname__)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(test).attempted and not runner.failures
    assert "Returns" in method.__doc__


@pytest.mark.parametrize("dtype, size", [("float64", 8), (np.float32, 4), ("bfloat16", 2), ("int8", 1)])
def test_one_product(dtype, size):
    for m, n, k in itertools.product((0, 1, 3, 8), repeat=3):
        assert four(flops.matmul(m, n, k, dtype=dtype)) == of_products([(m, n, k)], size)
        assert four(flops.linear(m, k, n, dtype=dtype)) == of_products([(m, n, k)], size)


def test_backward_is_two_products_for_each():
    for m, n, k in itertools.product((1, 3, 8), repeat=3):
        assert four(flops.matmul(m, n, k).backward()) == of_products([(m, k, n), (k, n, m)])


@pytest.mark.parametrize("rows", [1, 5])
def test_mlp(rows):
    sizes = (7, 6, 5, 3)
    forward = [(rows, o, i) for i, o in itertools.pairwise(sizes)]
    weights = [(o, i, rows) for i, o in itertools.pairwise(sizes)]
    inputs = [(rows, i, o) for i, o in itertools.pairwise(sizes)][1:]
    assert four(flops.mlp(sizes, rows=rows)) == of_products(forward)
    trained = flops.mlp(sizes, rows=rows, training=True)
    assert four(trained) == of_products(forward + weights + inputs)
    assert trained.weights == sum(i * o for i, o in itertools.pairwise(sizes))
    assert trained.biases == sum(sizes[1:])


@pytest.mark.parametrize("heads, kv_heads", [(4, 4), (4, 2), (4, 1)])
def test_attention(heads, kv_heads):
    batch, queries, keys, size = 2, 3, 5, 6
    each = [(queries, keys, size), (queries, size, keys)] * (batch * heads)
    plain = flops.attention(batch, heads, queries, keys, size, fused=False)
    assert four(plain) == of_products(each)
    fused = flops.attention(batch, heads, queries, keys, size, kv_heads=kv_heads)
    assert (fused.flops, fused.products) == (plain.flops, plain.products)
    assert fused.bytes_read == 4 * batch * size * (heads * queries + 2 * kv_heads * keys)
    assert fused.bytes_written == 4 * batch * size * heads * queries


@pytest.mark.parametrize("queries, keys", [(1, 1), (1, 9), (4, 4), (4, 9), (64, 64)])
def test_causal_attention_is_the_pairs_that_see_each_other(queries, keys):
    pairs = sum(1 for i in range(queries) for j in range(keys) if j <= keys - queries + i)
    cost = flops.attention(2, 3, queries, keys, 5, causal=True, fused=False)
    assert cost.flops == 2 * 3 * pairs * 4 * 5
    whole = flops.attention(2, 3, queries, keys, 5, fused=False)
    assert whole.bytes - cost.bytes == 2 * 4 * 2 * 3 * (queries * keys - pairs)
    if queries == keys:  # half, and half of the diagonal
        assert Fraction(cost.flops, whole.flops) == Fraction(1, 2) + Fraction(1, 2 * keys)


@pytest.mark.parametrize("activation, into", [("gelu", 1), ("swiglu", 2)])
def test_a_block_is_its_products(activation, into):
    rows, d, size, d_ff, kv = 2 * 3, 8, 2, 20, 2
    cost = flops.transformer_block(2, 3, d, 4, d_ff=d_ff, n_kv_head=kv, activation=activation, cached=4)
    layers = [(d, d)] * 2 + [(d, kv * size)] * 2 + [(d, d_ff)] * into + [(d_ff, d)]
    heads = [(3, 7, size), (3, size, 7)] * (2 * 4)
    steps, _, _, count = of_products([(rows, o, i) for i, o in layers] + heads)
    assert (cost.flops, cost.products) == (steps, count)
    assert cost.parameters == sum((i + 1) * o for i, o in layers) + 4 * d
    assert cost.biases == sum(o for _, o in layers) + 2 * d


@pytest.mark.parametrize("rows, d", [(1, 8), (96, 64)])
def test_the_closed_form_of_a_block(rows, d):
    for n in (4, 32):
        cost = flops.transformer_block(rows, n, d, 4)
        assert cost.flops == 24 * rows * n * d**2 + 4 * rows * n * n * d
        assert cost.parameters == 12 * d**2 + 13 * d


PUBLISHED = {"gpt2": 124_439_808, "gpt2-medium": 354_823_168, "gpt2-large": 774_030_080,
             "gpt2-xl": 1_557_611_200, "bert-base": 109_482_240, "bert-large": 335_141_888}
LLAMA = {"n_layer": 32, "n_head": 32, "d_model": 4096, "vocab_size": 32000, "activation": "swiglu",
         "bias": False, "tied": False}


def test_parameters_are_the_published_ones():
    assert {name: model.parameters for name, model in flops.MODELS.items()} == PUBLISHED
    assert Transformer(**LLAMA, d_ff=11008).parameters == 6_738_415_616
    assert Transformer(**LLAMA, d_ff=14336, n_kv_head=8).parameters == 7_241_732_096


@pytest.mark.parametrize("model", flops.MODELS.values(), ids=list(flops.MODELS))
def test_parameters_do_not_depend_on_the_input(model):
    assert model.parameters == model.training_step(3, 5, cached=2, dtype="float16").parameters
    assert model.parameters == sum(cost.parameters for cost in model.parts(2, 9).values())
    assert 0.99 < model.forward().weight_share < 1


@given(st.integers(1, 5), st.integers(1, 7))
def test_products_of_a_model(batch, tokens):
    layers = SMALL.n_layer * (6 + 2 * SMALL.n_head * batch)
    assert SMALL.forward(batch, tokens).products == layers + 1
    assert SMALL.backward(batch, tokens).products == 2 * (layers + 1)
    assert SMALL.training_step(batch, tokens).flops == 3 * SMALL.forward(batch, tokens).flops


def test_tokens_one_by_one_are_the_causal_pass():
    whole = SMALL.forward(3, 7, causal=True)
    assert sum(SMALL.forward(3, 1, cached=t).flops for t in range(7)) == whole.flops


def test_tables_of_a_model_are_read_row_by_row():
    cost = flops.BERT_BASE.parts(2, 5, dtype="float16")["embedding"]
    assert (cost.bytes_read, cost.bytes_written) == (3 * 2 * 5 * 768 * 2, 2 * 5 * 768 * 2)
    assert cost.parameters == (30522 + 512 + 2) * 768
    assert (cost.flops, cost.products, flops.norm(8).flops) == (0, 0, 0)


@given(COSTS, COSTS, st.integers(0, 6))
def test_costs_are_added(a, b, count):
    assert a + b == b + a and a + Cost() == a
    assert count * (a + b) == a * count + b * count == sum([a + b] * count, Cost())
    assert (a + b).backward() == a.backward() + b.backward()
    assert (a + b).training() == a.training() + b.training()
    assert a.weights + a.biases == a.parameters


@given(COSTS, COSTS)
def test_time_is_the_slower_of_two(a, b):
    roof = Roof(8, 2)
    time = a.time(roof)
    assert time.seconds == max(a.flops / 8, a.bytes / 2)
    assert (time.bound == "compute") == (a.flops >= roof.ridge * a.bytes)
    assert (a + b).time(roof).seconds <= time.seconds + b.time(roof).seconds


def test_intensity():
    cost = flops.matmul(64, 64, 64)
    assert cost.intensity == cost.flops / cost.bytes == 64 / 6
    assert Cost().intensity == Cost().weight_share == 0


def test_numbers_are_exact_whatever_integers_come():
    big = np.int32(2**20)
    assert flops.matmul(big, big, big, dtype="int8").flops == 2**61
    assert (flops.linear(big, big, big) * np.int8(100)).flops == 100 * 2**61
    assert type(flops.attention(big, big, big, big, big).flops) is int


def test_vertices_count_additions_of_something():
    ops = sum(4 + 3 for row in range(4) for vertex in range(6))
    assert flops.vertices(6).flops == ops
    assert flops.vertices(6, frames=5, matrices=3).flops == 15 * ops
    assert flops.vertices(6, frames=5, matrices=3).bytes == 5 * 4 * (2 * 24 + 3 * 16)


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 2**36, 2**36 + 1])
def test_index_bits(count):
    bits = flops.index_bits(count)
    assert 2**bits >= count and (bits == 1 or 2 ** (bits - 1) < count)


def test_pagerank():
    cost = flops.pagerank(4, 8, dtype="float32")
    assert cost.flops == 8 + 3 * 4
    assert cost.bytes_read == (8 * 2 + 5 * 4 + 7) // 8 + 2 * 4 * 4  # numbers of 2 bits, places of 4, ranks
    assert cost.bytes_written == 4 * 4


@pytest.mark.parametrize("call, words", [
    (lambda: flops.matmul(2, -1, 3), r"matmul: n must be at least 0, got -1"),
    (lambda: flops.mlp((3,)), r"mlp: sizes .* got \(3,\)"),
    (lambda: flops.attention(1, 6, 2, 2, 4, kv_heads=4), "kv_heads=4 does not divide heads=6"),
    (lambda: flops.attention(1, 6, 2, 2, 4, kv_heads=0), "kv_heads=0 does not divide heads=6"),
    (lambda: flops.attention(1, 1, 3, 2, 4, causal=True), "queries=3 exceeds keys=2"),
    (lambda: flops.transformer_block(1, 2, 10, 4), "n_head=4 does not divide d_model=10"),
    (lambda: flops.transformer_block(1, 2, 8, 4, activation="relu6"), "gelu or swiglu, got relu6"),
    (lambda: SMALL.forward(1, 7, cached=1), "tokens=7 and cached=1 exceed n_positions=7"),
    (lambda: Cost() * -2, "count must be at least 0, got -2"),
    (lambda: Roof(0, 1), "must be positive, got 0 and 1"),
    (lambda: Roof.measured("float16"), "float32 or float64, got float16"),
])
def test_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_sizes_are_integers():
    for call in (lambda: flops.matmul(2, 3.0, 4), lambda: Cost() * 1.5, lambda: Cost() + 1):
        with pytest.raises(TypeError):
            call()


def test_the_command_prints_the_parts(capsys):
    assert main(["flops", "bert-base", "--tokens", "16", "--training", "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    total = flops.BERT_BASE.training_step(1, 16)
    assert lines[-2].split()[:3] == ["total", f"{total.parameters:,}", f"{total.flops / 1e9:,.1f}"]
    parts = [line.split()[0] for line in lines[1:-2]]
    assert parts == ["embedding", "projections", "attention", "mlp", "norms", "pooler"]
    assert "GFLOP/s float32" in lines[-1]
    with pytest.raises(SystemExit):
        main(["flops", "bert-base", "--tokens", "513"])
    assert "exceed n_positions=512" in capsys.readouterr().err


SCALES = {"": 1, "%": Fraction(1, 100), "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def printed(text):
    """The number that a cell shows, and half a unit of its last digit."""
    match = re.fullmatch(r"([\d,]+)(?:\.(\d+))?(?:e(-?\d+))? ?([%KMGT]?)", text)
    assert match, text
    whole, fraction, exponent, prefix = match.groups(default="")
    unit = SCALES[prefix] * Fraction(10) ** (int(exponent or 0) - len(fraction))
    return int(whole.replace(",", "") + fraction) * unit, unit / 2


def rows_of(page):
    cells = [line.strip("|").split(" | ") for line in page.splitlines() if re.match(r"\| .*`.*\|$", line)]
    return [[cell.strip() for cell in row] for row in cells]


def holds(figure, value):
    number, half = printed(figure)
    return abs(number - value) <= max(half, abs(value) / 100)


TEXT = PAGE.read_text()
ROWS = rows_of(TEXT)


@pytest.fixture(scope="module")
def names():
    found = {}
    exec(re.search(r"```python\n(.*?)```", TEXT, re.S).group(1), found)
    return found


def test_the_page_is_read_whole():
    assert all(len(row) == 5 for row in ROWS)
    tables = [line for line in TEXT.splitlines() if line.startswith("| ") and "computed by" not in line]
    assert len(ROWS) == len(tables) > 80


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_claim(row, names):
    _, figure, expression, shown, verdict = row
    value = Fraction(eval(expression.strip("`"), names))
    number, half = printed(shown)
    exact = "," in shown or half == Fraction(1, 2)  # written in full
    assert abs(number - value) <= (0 if exact and value.denominator == 1 else half), float(value)
    assert verdict == ("-" if figure == "-" else "yes" if holds(figure, value) else "no"), float(value)


def test_what_holds():
    assert holds("69 G", 68_719_476_736) and holds("8 K", 8192) and holds("242 K", 242_762)
    assert not holds("1.44 G", 1_680_000_000) and not holds("40%", Fraction(214, 1000))
    assert not holds("16", 24) and not holds("3", 2)


def test_examples_of_the_page():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert (failed, tried > 8) == (0, True)
