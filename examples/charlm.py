"""Train a transformer of two layers on the letters of Python's own help, and compare it with 5-grams.

The text is that of `help()` for the language's topics, which ships with Python, and its licence; every tenth
topic is held out. Printed are bits per letter of the held-out text: what a code by the model's predictions
would need. Run it with `python examples/charlm.py`; Ctrl-C ends the training, not the program.
"""

from __future__ import annotations

import argparse
import builtins
import re
import sys
import time

import numpy as np
from numpy.typing import NDArray

from fastla import nn

Letters = NDArray[np.int64]
WINDOW = 128  # letters that the transformer sees


def load() -> tuple[Letters, Letters, list[str]]:
    """Letters for training and held out, as numbers, and the alphabet. No paragraph occurs twice."""
    from pydoc_data.topics import topics

    seen: set[str] = set()
    texts = []
    for topic in [*(topics[name] for name in sorted(topics)), _licence()]:
        kept = []
        for paragraph in re.split(r"\n\s*\n", topic):
            words = " ".join(paragraph.split())
            if words and words not in seen:
                seen.add(words)
                kept.append(paragraph.strip("\n"))
        texts.append("\n\n".join(kept) + "\n\n")
    alphabet = sorted(set("".join(texts)))
    number = {letter: i for i, letter in enumerate(alphabet)}

    def numbers(chosen: list[str]) -> Letters:
        return np.array([number[letter] for letter in "".join(chosen)], np.int64)

    held_out = [text for i, text in enumerate(texts) if i % 10 == 5]
    return numbers([t for i, t in enumerate(texts) if i % 10 != 5]), numbers(held_out), alphabet


def _licence() -> str:
    """The text behind Python's `license`, where it is installed."""
    printer = getattr(builtins, "license", None)
    if printer is None:
        return ""
    printer._Printer__setup()
    return "\n".join(printer._Printer__lines)


def grams(letters: Letters, order: int, words: int) -> NDArray[np.int64]:
    """The number of the `order` letters that end at each place from order - 1 on."""
    total = np.zeros(len(letters) - order + 1, np.int64)
    for i in range(order):
        total = total * words + letters[i : i + len(total)]
    return total


def ngram_bits(train: Letters, held_out: Letters, words: int, most: int = 5) -> float:
    """Bits per letter of n-grams, interpolated by Witten and Bell's rule: a context that was followed by N
    letters, T different ones, leaves T / (N + T) to the shorter context."""
    p = np.full(len(held_out), 1 / words)
    for order in range(1, most + 1):
        found, counts = np.unique(grams(train, order, words), return_counts=True)
        contexts, first, kinds = np.unique(found // words, return_index=True, return_counts=True)
        totals = np.add.reduceat(counts, first)

        def looked_up(keys: Letters, table: Letters, values: Letters) -> Letters:
            at = np.searchsorted(table, keys).clip(max=len(table) - 1)
            return np.where(table[at] == keys, values[at], 0)

        asked = grams(held_out, order, words)
        count = looked_up(asked, found, counts)
        total = looked_up(asked // words, contexts, totals)
        kind = looked_up(asked // words, contexts, kinds)
        known, places = total > 0, slice(order - 1, None)
        p[places] = np.where(known, (count + kind * p[places]) / np.maximum(total + kind, 1), p[places])
    return float(-np.log2(p).mean())


def model_bits(model: nn.Llama, letters: Letters) -> float:
    """Bits per letter; each is predicted from at least half a window, but for the first ones."""
    half, nats = WINDOW // 2, 0.0
    for start in range(0, max(len(letters) - 1 - half, 1), half):
        window = letters[start : start + WINDOW + 1]
        targets = window[1:].copy()
        targets[: half if start else 0] = -100  # predicted in the window before
        nats += float(nn.cross_entropy(model(window[:-1]), targets, reduction="sum"))
    return nats / np.log(2) / (len(letters) - 1)


def train(model: nn.Llama, letters: Letters, *, steps: int, batch: int, rate: float,
          rng: np.random.Generator) -> None:
    """AdamW on random windows; the rate rises for 100 steps and falls along half a cosine."""
    begun, losses = time.perf_counter(), []
    schedule = nn.cosine_schedule(rate, steps, warmup=min(100, steps // 2))
    optimizer = nn.AdamW(schedule, betas=(0.9, 0.99), weight_decay=0.1)
    for step in range(1, steps + 1):
        starts = rng.integers(0, len(letters) - WINDOW, batch)
        windows = letters[starts[:, None] + np.arange(WINDOW + 1)]
        loss, gradients = model.loss_and_gradients(windows[:, :-1], windows[:, 1:])
        nn.clip_by_global_norm(gradients, 1.0)
        optimizer.step(model.parameters, gradients)
        losses.append(loss / np.log(2))
        if step % 10 == 0:
            seconds = (time.perf_counter() - begun) / step
            print(f"\r  step {step:5} of {steps}, {np.mean(losses[-50:]):.3f} bits per letter, "
                  f"{batch * WINDOW / seconds:,.0f} letters/s, {seconds * (steps - step):4.0f} s left ",
                  end="", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=16, help="windows of a step")
    parser.add_argument("--size", type=int, default=128, help="of a letter's vector")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    letters, held_out, alphabet = load()
    print(f"{len(letters):,} letters for training, {len(held_out):,} held out, "
          f"{len(alphabet)} different ones")
    for most in (3, 4, 5, 6):
        bits = ngram_bits(letters, held_out, len(alphabet), most)
        print(f"  interpolated {most}-grams: {bits:.3f} bits per letter")
    model = nn.Llama(
        nn.LlamaConfig(vocab_size=len(alphabet), hidden_size=options.size,
                       intermediate_size=8 * options.size // 3, num_hidden_layers=2,
                       num_attention_heads=options.size // 32, max_position_embeddings=WINDOW,
                       tie_word_embeddings=True),
        rng=options.seed)
    count = sum(array.size for array in model.parameters.values())
    print(f"a transformer of 2 layers, {count:,} parameters")
    rng = np.random.default_rng([options.seed, 1])
    try:
        train(model, letters, steps=options.steps, batch=options.batch, rate=4e-3, rng=rng)
    except KeyboardInterrupt:
        print("\n  interrupted", end="", file=sys.stderr)
    print(file=sys.stderr)
    print(f"  transformer: {model_bits(model, held_out):.3f} bits per letter")
    starts = [[alphabet.index(letter) for letter in start] for start in ("The ", "If a class ", "An object")]
    for made in model.generate(starts, WINDOW - 16, temperature=0.6, rng=options.seed):
        print("---\n" + "".join(alphabet[i] for i in made))


if __name__ == "__main__":
    main()
