"""A DistilBERT trained from random weights, whose [CLS] stands for a text (seed 4).

Two objectives, one step: masked words are guessed (Devlin et al. 2019), which teaches the language of the
shop, and [CLS] of an item's description is to find [CLS] of a review of that item among the batch's. Masked
words alone never train [CLS], which is the vector that the seed reads; there is no teacher to distil from,
for nothing pretrained may enter.

T texts, P pairs, B batch, L tokens, D width.
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
from recsys_jobs.embed.from_scratch.training_loop import Schedule, train_module
from recsys_jobs.embed.from_scratch.wordpiece import CLS, MASK, PADDING, SEP, SPECIAL, train_tokenizer
from recsys_jobs.embed.loading import save_sentence_modules
from recsys_jobs.torch_common import losses

_MIN_TEXTS = 2  # texts

OnStep = Callable[[dict[str, float]], None]


def train_text_encoder(
    corpus: Corpus, size: Size, folder: Path, seed: int, device: torch.device, on_step: OnStep | None = None
) -> None:
    """Write tokenizer and model to a folder that `embed` loads like any other; JobError for a corpus without texts."""
    if (count := len(corpus.texts)) < _MIN_TEXTS:
        raise JobError(f"an encoder from scratch needs texts: {count} precede its boundary; name another until then")
    train_tokenizer(corpus.texts, size.vocabulary, size.text_length, folder)
    tokens = _tokenize(corpus.texts, folder, size)
    steps = _per_pass(len(tokens), size)
    trained = train_module(
        lambda: TextTraining(size, _vocabulary(folder)).to(device),
        lambda random: _batches(tokens, corpus, size, random),
        Schedule(size.text_passes, steps, size.text_rate, size.weight_decay, size.warmup),
        seed=seed,
        device=device,
        on_step=on_step,
    )
    trained.language_model.distilbert.save_pretrained(folder)
    save_sentence_modules(folder, "cls", size.text_width)


class TextTraining(nn.Module):
    """DistilBERT with its head that guesses masked words, and both losses."""

    def __init__(self, size: Size, vocabulary: int) -> None:
        super().__init__()
        from transformers import DistilBertForMaskedLM

        self.size = size
        self.language_model: Any = DistilBertForMaskedLM(distilbert_config(size, vocabulary))

    def forward(
        self, masked: tuple[Tensor, Tensor], description_PL: Tensor | None, review_PL: Tensor | None
    ) -> dict[str, Tensor]:
        """Return the losses by name: of masked words, of pairs of texts on one item."""
        token_BL, label_BL = masked
        mask_BL = (token_BL != PADDING).long()
        words = self.language_model(input_ids=token_BL, attention_mask=mask_BL, labels=label_BL).loss
        if description_PL is None or review_PL is None:
            return {"words": words}
        description_PD, review_PD = self._cls(description_PL), self._cls(review_PL)
        pairs = losses.clip(description_PD, review_PD, self.size.temperature)
        return {"words": words, "pairs": pairs}

    def _cls(self, token_BL: Tensor) -> Tensor:
        """Return [CLS] about the batch's mean: at the start it is nearly the same for all texts, and would stay so."""
        mask_BL = (token_BL != PADDING).long()
        states = self.language_model.distilbert(input_ids=token_BL, attention_mask=mask_BL)
        cls_BD: Tensor = states.last_hidden_state[:, 0]
        return cls_BD - cls_BD.mean(0)


def _tokenize(texts: list[str], folder: Path, size: Size) -> list[list[int]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    token_ids: list[list[int]] = tokenizer(texts, truncation=True, max_length=size.text_length)["input_ids"]
    return token_ids


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
        token_BL = padded([tokens[text] for text in batch])
        masked = mask_words(token_BL, size.masked, vocabulary, random)
        description_PL, review_PL = None, None
        if len(corpus.pair_P2) > 1:
            pair_P2 = _sample_pairs(corpus, size.batch, random)
            description_PL = padded([tokens[text] for text in pair_P2[:, 0]])
            review_PL = padded([tokens[text] for text in pair_P2[:, 1]])
        yield masked, description_PL, review_PL


def _sample_pairs(corpus: Corpus, most: int, random: np.random.Generator) -> np.ndarray:
    """Return at most `most` random pairs of text rows [P, 2], each item's description once."""
    pairs = len(corpus.pair_P2)
    chosen = random.choice(pairs, min(most, pairs), replace=False)
    return corpus.pair_P2[_one_pair_per_item(corpus, chosen)]


def _one_pair_per_item(corpus: Corpus, chosen: np.ndarray) -> np.ndarray:
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
    is_least_BL = (draw_BL == draw_BL.min()) & word_BL
    chosen_BL = (draw_BL < share) | is_least_BL
    fate_BL = torch.from_numpy(random.random(token_BL.shape))
    end = max(vocabulary, len(SPECIAL) + 1)
    other_BL = torch.from_numpy(random.integers(len(SPECIAL), end, token_BL.shape))
    input_BL = token_BL.masked_fill(chosen_BL & (fate_BL < 0.8), MASK)
    input_BL = torch.where(chosen_BL & (fate_BL >= 0.9), other_BL, input_BL)
    return input_BL, token_BL.masked_fill(~chosen_BL, -100)
