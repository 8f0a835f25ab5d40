"""A DistilBERT trained from random weights, whose [CLS] stands for a text (seed 4).

Two objectives, one step: masked words are guessed (Devlin et al. 2019), which teaches the language of the
shop, and [CLS] of an item's description is to find [CLS] of a review of that item among the batch's. Masked
words alone never train [CLS], which is the vector that the seed reads; there is no teacher to distil from,
for nothing pretrained may enter.

T texts, P pairs, B batch, L tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.embed.from_scratch.corpus import Corpus
from recsys_jobs.embed.from_scratch.networks import distilbert_config
from recsys_jobs.embed.from_scratch.sizes import Size
from recsys_jobs.embed.from_scratch.steps import Steps, run_steps
from recsys_jobs.embed.from_scratch.words import CLS, MASK, PADDING, SEP, SPECIAL, train_tokenizer
from recsys_jobs.embed.loading import save_sentence_modules
from recsys_jobs.torch_common import losses

_FEWEST = 2  # texts

OnStep = Callable[[dict[str, float]], None]


def train_text_encoder(
    corpus: Corpus, size: Size, folder: Path, seed: int, device: torch.device, on_step: OnStep | None = None
) -> None:
    """Write tokenizer and model to a folder that `embed` loads like any other; JobError for a corpus without texts."""
    if (count := len(corpus.texts)) < _FEWEST:
        raise JobError(f"an encoder from scratch needs texts: {count} precede its boundary; name another until then")
    train_tokenizer(corpus.texts, size.vocabulary, size.text_length, folder)
    tokens = _tokenized(corpus.texts, folder, size)
    trained = run_steps(
        lambda: TextTraining(size, _vocabulary(folder)).to(device),
        lambda random: _batches(tokens, corpus, size, random),
        Steps(size.text_passes, _per_pass(len(tokens), size), size.text_rate, size.weight_decay, size.warmup),
        seed=seed,
        device=device,
        on_step=on_step,
    )
    trained.guesser.distilbert.save_pretrained(folder)
    save_sentence_modules(folder, "cls", size.text_width)


class TextTraining(nn.Module):
    """DistilBERT with its head that guesses masked words, and both losses."""

    def __init__(self, size: Size, vocabulary: int) -> None:
        super().__init__()
        from transformers import DistilBertForMaskedLM

        self.size = size
        self.guesser: Any = DistilBertForMaskedLM(distilbert_config(size, vocabulary))

    def forward(self, masked: tuple[Tensor, Tensor], one: Tensor | None, other: Tensor | None) -> dict[str, Tensor]:
        """Return the losses by name: of masked words, of texts that are to find each other."""
        token_BL, wanted_BL = masked
        guessed = self.guesser(input_ids=token_BL, attention_mask=(token_BL != PADDING).long(), labels=wanted_BL)
        if one is None or other is None:
            return {"words": guessed.loss}
        return {"words": guessed.loss, "pairs": losses.clip(self._cls(one), self._cls(other), self.size.temperature)}

    def _cls(self, token_BL: Tensor) -> Tensor:
        """Return [CLS] about the batch's mean: at the start it is nearly the same for all texts, and would stay so."""
        states = self.guesser.distilbert(input_ids=token_BL, attention_mask=(token_BL != PADDING).long())
        first: Tensor = states.last_hidden_state[:, 0]
        return first - first.mean(0)


def _tokenized(texts: list[str], folder: Path, size: Size) -> list[list[int]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    found: list[list[int]] = tokenizer(texts, truncation=True, max_length=size.text_length)["input_ids"]
    return found


def _vocabulary(folder: Path) -> int:
    from transformers import AutoTokenizer

    return len(AutoTokenizer.from_pretrained(folder, local_files_only=True))


def _per_pass(texts: int, size: Size) -> int:
    return max(1, texts // size.batch)


def _batches(tokens: list[list[int]], corpus: Corpus, size: Size, random: np.random.Generator) -> Any:
    """Yield one pass: texts in random order with some tokens masked, beside them as many pairs of other texts."""
    order = random.permutation(len(tokens))
    vocabulary = max(map(max, tokens)) + 1
    for batch in np.array_split(order, _per_pass(len(order), size)):
        masked = mask_words(padded([tokens[text] for text in batch]), size.masked, vocabulary, random)
        one, other = None, None
        if len(corpus.pair_P2) > 1:
            chosen = random.choice(len(corpus.pair_P2), min(size.batch, len(corpus.pair_P2)), replace=False)
            one, other = (padded([tokens[text] for text in side]) for side in corpus.pair_P2[_once(corpus, chosen)].T)
        yield masked, one, other


def _once(corpus: Corpus, chosen: np.ndarray) -> np.ndarray:
    """Return the chosen pairs with each item's text once: two reviews of one item are no wrong answers."""
    return chosen[np.unique(corpus.pair_P2[chosen, 0], return_index=True)[1]]


def padded(rows: list[list[int]]) -> Tensor:
    """Return token ids [B, L] as long as the longest row."""
    width = max(map(len, rows))
    return torch.tensor([row + [PADDING] * (width - len(row)) for row in rows])


def mask_words(token_BL: Tensor, share: float, vocabulary: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return the input and what is to be guessed (-100 elsewhere), as BERT has it.

    Of the chosen tokens 8 in 10 are masked, 1 is another word, 1 stays. A batch has at least one chosen.
    """
    word_BL = (token_BL != PADDING) & (token_BL != CLS) & (token_BL != SEP)
    draw_BL = torch.from_numpy(random.random(token_BL.shape)).masked_fill(~word_BL, 1.0)
    chosen_BL = (draw_BL < share) | ((draw_BL == draw_BL.min()) & word_BL)
    fate_BL = torch.from_numpy(random.random(token_BL.shape))
    other_BL = torch.from_numpy(random.integers(len(SPECIAL), max(vocabulary, len(SPECIAL) + 1), token_BL.shape))
    input_BL = token_BL.masked_fill(chosen_BL & (fate_BL < 0.8), MASK)
    input_BL = torch.where(chosen_BL & (fate_BL >= 0.9), other_BL, input_BL)
    return input_BL, token_BL.masked_fill(~chosen_BL, -100)
