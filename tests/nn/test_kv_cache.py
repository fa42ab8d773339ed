"""Caches of keys and values: what they hold; attention with them has the bits of attention without."""

import numpy as np
import pytest

from fastla import nn

CACHES = {"one piece": nn.KVCache, "pages": nn.PagedKVCache}


def numbers(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


@pytest.fixture(params=CACHES)
def kind(request):
    return CACHES[request.param]


def options(kind, **given):
    return {name: value for name, value in given.items() if name in
            {nn.KVCache: ("chunk", "capacity"), nn.PagedKVCache: ("page_size", "pages")}[kind]}


def test_a_cache_is_lists_of_tokens(kind, rng):
    """Random appends and truncations against lists."""
    batch, heads, size = 3, 2, 4
    cache = kind(batch, heads, size, **options(kind, chunk=8, page_size=3))
    lists = [[] for _ in range(batch)]
    for step in range(60):
        if step % 7 == 6:
            lengths = np.array([rng.integers(0, len(tokens) + 1) for tokens in lists])
            cache.truncate(lengths)
            lists = [tokens[:n] for tokens, n in zip(lists, lengths, strict=True)]
        else:
            new = int(rng.integers(0, 6))
            counts = None if step % 3 == 0 else rng.integers(0, new + 1, batch)
            k, v = numbers(rng, 2, batch, heads, new, size)
            keys, values = cache.append(k, v, counts)
            for i, tokens in enumerate(lists):
                tokens += [(k[i, :, t], v[i, :, t]) for t in range(new if counts is None else counts[i])]
                for t, (one_k, one_v) in enumerate(tokens):
                    assert np.array_equal(keys[i, :, t], one_k) and np.array_equal(values[i, :, t], one_v)
        assert cache.lengths.tolist() == [len(tokens) for tokens in lists]
        assert len(cache) == max(map(len, lists))


def test_pages_belong_to_one_sequence(rng):
    cache = nn.PagedKVCache(3, 1, 2, page_size=4)
    for step in range(40):
        if step % 4 == 3:
            cache.truncate([rng.integers(0, n + 1) for n in cache.lengths])
        else:
            x = numbers(rng, 3, 1, 5, 2)
            cache.append(x, x, rng.integers(0, 6, 3))
        used = cache.table[cache.table >= 0]
        assert len(set(used.tolist())) == len(used) == len(cache.key_pages) - cache.free_pages
        assert ((cache.table >= 0).sum(axis=1) == -(-cache.lengths // 4)).all()
        assert cache.table.dtype == np.int32


def test_freed_pages_are_taken_again(rng):
    cache = nn.PagedKVCache(2, 1, 2, page_size=2, pages=4)
    x = numbers(rng, 2, 1, 4, 2)
    cache.append(x, x)
    before = cache.table.copy()
    with pytest.raises(ValueError, match="need 2 pages of 2 more than there are, 4"):
        cache.append(x[:, :, :1], x[:, :, :1])
    assert np.array_equal(cache.table, before) and cache.lengths.tolist() == [4, 4]
    cache.truncate([0, 4])
    assert cache.free_pages == 2
    cache.append(x, x, [0, 4])
    assert sorted(cache.table[1].tolist()) == [0, 1, 2, 3] and cache.lengths.tolist() == [0, 8]


def test_capacity(rng):
    cache = nn.KVCache(2, 1, 2, capacity=5)
    x = numbers(rng, 2, 1, 3, 2)
    cache.append(x, x)
    with pytest.raises(ValueError, match="lengths would be up to 6; the capacity is 5"):
        cache.append(x, x)
    assert cache.lengths.tolist() == [3, 3]
    keys, _ = cache.append(x, x, [2, 0])
    assert cache.lengths.tolist() == [5, 3] and np.array_equal(keys[0, :, 3:5], x[0, :, :2])


def layer(kv_heads, rotary, dtype=np.float32):
    frequencies = nn.rotary_frequencies(8) if rotary else None
    return nn.MultiHeadAttention(32, 4, kv_heads, causal=True, frequencies=frequencies, rng=1, dtype=dtype)


@pytest.mark.parametrize("kv_heads, rotary", [(4, False), (2, True), (1, True)])
@pytest.mark.parametrize("pieces", [(1,) * 12 + (263,) + (1,) * 5, (100, 156, 24), (7, 1, 250, 22)], ids=str)
def test_tokens_in_pieces_have_the_bits_of_all_at_once(kind, kv_heads, rotary, pieces, rng):
    attention, x = layer(kv_heads, rotary), numbers(rng, 2, sum(pieces), 32)
    whole = attention(x)
    cache = kind(2, kv_heads, 8)
    parts = np.split(x, np.cumsum(pieces)[:-1], axis=1)
    found = np.concatenate([attention(part, cache=cache) for part in parts], axis=1)
    assert np.array_equal(found, whole)


@pytest.mark.parametrize("lengths", [(270, 3), (1, 300), (256, 255)], ids=str)
def test_sequences_of_unlike_lengths_have_the_bits_of_each_alone(kind, lengths, rng):
    attention, new = layer(2, True), 3
    x, more = numbers(rng, 2, max(lengths), 32), numbers(rng, 2, new, 32)
    cache = kind(2, 2, 8)
    first = attention(x, cache=cache, counts=lengths)
    then = [attention(more[:, i : i + 1], cache=cache) for i in range(new)]
    for i, n in enumerate(lengths):
        alone = attention(np.concatenate([x[i : i + 1, :n], more[i : i + 1]], axis=1))
        assert np.array_equal(first[i, :n], alone[0, :n])
        assert np.array_equal(np.concatenate(then, axis=1)[i], alone[0, n:])


def test_forgotten_tokens_leave_no_trace(kind, rng):
    attention, x = layer(4, True), numbers(rng, 1, 40, 32)
    cache = kind(1, 4, 8)
    attention(x[:, :30], cache=cache)
    attention(numbers(rng, 1, 10, 32), cache=cache)
    cache.truncate(30)
    assert np.array_equal(attention(x[:, 30:], cache=cache), attention(x)[:, 30:])


def test_float64(kind, rng):
    attention, x = layer(4, True, np.float64), rng.standard_normal((1, 5, 32))
    cache = kind(1, 4, 8, dtype=np.float64)
    assert np.array_equal(attention(x, cache=cache), attention(x))


def test_errors(kind, rng):
    cache = kind(2, 3, 4)
    x = numbers(rng, 2, 3, 1, 4)
    with pytest.raises(ValueError, match=r"k is \(2, 3, 1, 5\), float32, v is \(2, 3, 1, 4\)"):
        cache.append(numbers(rng, 2, 3, 1, 5), x)
    with pytest.raises(ValueError, match=r"must be \(2, 3, tokens, 4\), float32"):
        cache.append(x.astype(np.float64), x)
    with pytest.raises(ValueError, match=r"counts is \[2, 0\]; it must be between 0 and 1"):
        cache.append(x, x, [2, 0])
    with pytest.raises(ValueError, match=r"counts is \(3,\), int64"):
        cache.append(x, x, [1, 1, 1])
    cache.append(x, x)
    with pytest.raises(ValueError, match=r"lengths is 2; it must be between 0 and \[1, 1\]"):
        cache.truncate(2)
    with pytest.raises(ValueError, match="none may be negative"):
        kind(-1, 1, 1)
    with pytest.raises(ValueError, match="a cache needs causal=True"):
        nn.MultiHeadAttention(12, 3, rng=0)(numbers(rng, 2, 1, 12), cache=cache)


def test_nothing_is_appended_when_arguments_are_wrong(kind, rng):
    cache = kind(1, 1, 2)
    with pytest.raises(ValueError):
        cache.append(numbers(rng, 1, 1, 1, 2), numbers(rng, 1, 1, 2, 2))
    assert len(cache) == 0
