"""A transformer trained here and, on the same windows from the same parameters, in PyTorch."""

import importlib.util
import pathlib

import numpy as np
import pytest

from fastla import nn

torch = pytest.importorskip("torch", reason="needs PyTorch")

import torch_llama  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
STEPS, BATCH, WINDOW = 60, 8, 64


def letters():
    spec = importlib.util.spec_from_file_location("charlm", ROOT / "examples" / "charlm.py")
    charlm = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(charlm)
    return charlm.load()


def test_both_learn_the_same():
    """The same losses at first, and bits per letter of held-out text within 2% in the end."""
    train, held_out, alphabet = letters()
    config = nn.LlamaConfig(vocab_size=len(alphabet), hidden_size=64, intermediate_size=160,
                            num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                            max_position_embeddings=WINDOW, tie_word_embeddings=True)
    ours = nn.Llama(config, rng=0)
    theirs = {name: torch.tensor(x.copy(), requires_grad=True) for name, x in ours.parameters.items()}
    schedule = nn.cosine_schedule(4e-3, STEPS, warmup=20)
    mine = nn.AdamW(schedule, betas=(0.9, 0.99), weight_decay=0.1)
    other = torch.optim.AdamW(theirs.values(), 1.0, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)
    rng = np.random.default_rng(1)
    for step in range(STEPS):
        starts = rng.integers(0, len(train) - WINDOW, BATCH)
        windows = train[starts[:, None] + np.arange(WINDOW + 1)]
        loss, gradients = ours.loss_and_gradients(windows[:, :-1], windows[:, 1:])
        mine.step(ours.parameters, gradients)
        other.param_groups[0]["lr"] = schedule(step)
        other.zero_grad()
        bits = torch_llama.bits(config, theirs, torch.from_numpy(windows))
        (bits * np.log(2)).backward()
        other.step()
        if step < 10:
            assert abs(loss / np.log(2) - bits.item()) < 1e-3 * bits.item(), step
    test = held_out[: 40 * WINDOW + 1]
    windows = test[np.arange(40)[:, None] * WINDOW + np.arange(WINDOW + 1)]
    got = nn.cross_entropy(ours(windows[:, :-1]), windows[:, 1:]) / np.log(2)
    with torch.no_grad():
        want = torch_llama.bits(config, theirs, torch.from_numpy(windows)).item()
    assert got < 5  # 6.7 at first
    assert abs(got - want) < 0.02 * want
