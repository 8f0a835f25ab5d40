"""Texts a second and core of the default text encoder and of the static vectors distilled from it.

    python -m benchmarks.encoders

Of texts that are 16 and 59 tokens long to the model, ends included, on one thread. What is counted is processor time,
so that what else runs on the machine matters little; distilling is told apart.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from functools import partial

import torch

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed.job import Encode, load_encoder

TOKENS = (16, 59)
TEXTS = {"minilm": 256, "static": 16_384}
GOAL = 20  # times as fast
WORDS = ("red", "blue", "soft", "warm", "cheap", "broken", "gift", "kitchen", "sound", "guitar", "chair", "lamp")


def main() -> None:
    """Print the figures; ends with status 1 where the static encoder misses its goal."""
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "RECSYS_DEVICE": "cpu"}
    torch.set_num_threads(1)
    encoders = {name: _loaded(name) for name in TEXTS}
    slowest = float("inf")
    for tokens in TOKENS:
        rate = {name: _texts_a_second(encode, TEXTS[name], tokens - 2) for name, encode in encoders.items()}
        ratio = rate["static"] / rate["minilm"]
        slowest = min(slowest, ratio)
        print(
            f"{tokens} tokens: " + ", ".join(f"{name} {rate[name]:,.0f} texts/s" for name in rate) + f", {ratio:,.0f}x"
        )
    print(f"goal: {GOAL}x")
    raise SystemExit(slowest < GOAL)


def _loaded(name: str) -> Encode:
    encode: list[Encode] = []
    seconds = _processor_seconds(lambda: encode.append(load_encoder(Settings(text_encoder=name), "text")))
    print(f"{name}: loaded, or distilled, in {seconds:.1f} s")
    return encode[0]


def _texts_a_second(encode: Encode, count: int, words: int) -> float:
    """The best of three runs over other texts of so many words, each of which is a token."""
    chance = random.Random(0)
    seconds = []
    for _ in range(3):
        texts = [" ".join(chance.choices(WORDS, k=words)) for _ in range(count)]
        seconds.append(_processor_seconds(partial(encode, texts)))
    return count / min(seconds)


def _processor_seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


if __name__ == "__main__":
    main()
