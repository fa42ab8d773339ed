"""Words drawn one after the other."""

import doctest
import pathlib

import numpy as np
import pytest
import small_models

from fastla import nn
from fastla.nn.models._generate import Sampler


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request):
    return small_models.made({"gpt2": small_models.GPT2, "llama": small_models.LLAMA}[request.param])


def test_greedy_is_the_largest_logit_of_each_recomputation(model):
    tokens = [3, 1, 4]
    for _ in range(12):
        tokens.append(int(model(tokens)[-1].argmax()))
    found = model.generate([3, 1, 4], 12)
    assert found.tolist() == tokens and found.dtype == np.int64


@pytest.mark.parametrize("page_size", [None, 4])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_prompts_of_unlike_lengths(model, rng, page_size, temperature):
    """Each sequence is continued as in any other batch, alone too: the first one has the same stream."""
    prompts = [rng.integers(0, 29, n) for n in (5, 1, 12)]
    options = {"temperature": temperature, "rng": 7}
    together = model.generate(prompts, 10, page_size=page_size, **options)
    assert [len(t) for t in together] == [15, 11, 22]
    for prompt, tokens in zip(prompts, together, strict=True):
        assert np.array_equal(tokens[: len(prompt)], prompt)
        if temperature == 0 or prompt is prompts[0]:
            assert np.array_equal(tokens, model.generate(prompt, 10, **options))


def test_the_same_seed_draws_the_same(model):
    def drawn(rng):
        return model.generate([[1, 2]] * 4, 20, temperature=2.0, rng=rng)

    first, again, other = drawn(5), drawn(np.random.default_rng(5)), drawn(6)
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert len({tuple(t) for t in first}) == 4, "sequences have streams of their own"


def test_stop(model):
    free = model.generate([[1], [2]], 20)
    stop = int(free[0][5])
    stopped = model.generate([[1], [2]], 20, stop=stop)
    for whole, cut in zip(free, stopped, strict=True):
        ends = np.flatnonzero(whole[1:] == stop)
        assert np.array_equal(cut, whole[: ends[0] + 2] if len(ends) else whole)
    assert len(stopped[0]) <= 6


def test_callback(model):
    seen = []

    def callback(words):
        seen.append(words)
        return len(seen) == 3

    found = model.generate([[1], [2, 3]], 20, callback=callback)
    assert [len(t) for t in found] == [4, 5]
    assert np.array_equal(np.array(seen).T, [found[0][1:], found[1][2:]])


def test_callback_is_told_which_sequences_have_ended(model):
    free, seen = model.generate([[1], [2]], 12), []
    model.generate([[1], [2]], 12, stop=int(free[0][1]), callback=seen.append)
    words = np.array(seen)
    assert words[0, 0] == free[0][1] and (words[1:, 0] == -1).all()


LOGITS = np.log(np.array([0.05, 0.4, 0.1, 0.3, 0.15]))


def shares(sampler, draws=4000):
    rng = np.random.default_rng(0)
    return np.bincount([sampler.draw(LOGITS, rng) for _ in range(draws)], minlength=5) / draws


@pytest.mark.parametrize("options, expected", [
    ((1.0, None, None), [0.05, 0.4, 0.1, 0.3, 0.15]),
    ((1.0, 2, None), [0, 4 / 7, 0, 3 / 7, 0]),
    ((1.0, None, 0.6), [0, 4 / 7, 0, 3 / 7, 0]),
    ((1.0, None, 0.75), [0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85]),
    ((1.0, 2, 0.5), [0, 1, 0, 0, 0]),
    ((1.0, None, 1e-9), [0, 1, 0, 0, 0]),
    ((0.5, None, None), np.array([0.05, 0.4, 0.1, 0.3, 0.15]) ** 2 / 0.285),
    ((0.0, None, None), [0, 1, 0, 0, 0]),
])
def test_shares_of_words(options, expected):
    """Within 5 standard deviations; what is cut is never drawn."""
    found, expected = shares(Sampler(*options)), np.array(expected)
    assert abs(expected.sum() - 1) < 1e-12
    assert (np.abs(found - expected) <= 5 * np.sqrt(expected * (1 - expected) / 4000)).all()


def test_hardly_any_temperature():
    assert shares(Sampler(1e-320, None, None), 10).tolist() == [0, 1, 0, 0, 0]


def test_top_k_of_a_model(model):
    """Every word drawn is one of the two likeliest."""
    tokens = model.generate([1], 30, temperature=5.0, top_k=2, rng=0)
    logits = model(tokens[:-1])
    likeliest = np.argsort(-logits, axis=-1)[:, :2]
    assert all(word in two for word, two in zip(tokens[1:], likeliest, strict=True))
    assert (tokens[1:] != likeliest[:, 0]).any()


@pytest.mark.parametrize("kwargs, said", [
    ({"temperature": -1}, "temperature is -1"), ({"top_k": 0}, "top_k is 0"), ({"top_p": 0}, "top_p is 0"),
    ({"top_p": 1.5}, "top_p is 1.5"), ({"max_new_tokens": -1}, "max_new_tokens is -1"),
    ({"tokens": []}, r"a prompt is \(0,\)"), ({"tokens": [[1], []]}, r"a prompt is \(0,\)"),
    ({"tokens": [0.5]}, "float64"), ({"tokens": [99]}, "has 99; there are 29 words"),
])
def test_errors(model, kwargs, said):
    with pytest.raises(ValueError, match=said):
        model.generate(**{"tokens": [1], "max_new_tokens": 2, **kwargs})


def test_positions_are_counted_first():
    model, calls = small_models.made(small_models.GPT2), []
    with pytest.raises(ValueError, match="max_new_tokens is 320, after prompts of up to 2; there are 320"):
        model.generate([1, 2], 320, callback=calls.append)
    assert not calls
    assert len(model.generate(np.ones(315, int), 6)) == 321  # the last word needs no position


def test_no_new_words(model):
    assert model.generate([1, 2], 0).tolist() == [1, 2]


def test_tokens_as_a_matrix(model):
    found = model.generate(np.array([[1, 2], [3, 4]]), 3)
    assert np.array_equal(found[1], model.generate([3, 4], 3))


def test_pages_are_used(model):
    assert all(isinstance(c, nn.PagedKVCache) for c in model.cache(2, page_size=4))


def test_the_page_runs():
    page = pathlib.Path(__file__).parents[2] / "docs" / "transformers.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert failed == 0 and tried > 15
    assert len(page.read_text().splitlines()) <= 100
