"""A WordPiece tokenizer trained on a corpus, the same for the same corpus.

The tokenizers library's WordPiece trainer gives another vocabulary in each process (its ties follow a hash
table's order); its BPE trainer repeats itself. So merges are learned as BPE over words that begin with a
mark, and the pieces are read as WordPiece's: with the mark a word's start, without it `##`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PADDING, _, CLS, SEP, MASK = range(len(SPECIAL))
_MARK = "▁"  # the library's own sign for the space before a word


def train_tokenizer(texts: Iterable[str], vocabulary: int, length: int, folder: Path) -> None:
    """Write a BERT tokenizer of at most `vocabulary` pieces, for texts of at most `length` tokens, to a folder."""
    from transformers import BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    pieces = _pieces(texts, vocabulary - len(SPECIAL))
    place = {piece: number for number, piece in enumerate([*SPECIAL, *pieces])}
    BertTokenizer(vocab=place, model_max_length=length).save_pretrained(folder)


def _pieces(texts: Iterable[str], most: int) -> list[str]:
    """Return word pieces, ascending: the letters first of all, then what was merged first."""
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.BertNormalizer()
    marked = pre_tokenizers.Metaspace(replacement=_MARK, prepend_scheme="always", split=False)
    learner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), marked])
    learner.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=max(1, most), show_progress=False))
    number = learner.get_vocab()
    found = sorted(set(number) - {_MARK}, key=lambda piece: number[piece])
    # a letter may start a word or stand in it, so that a word of known letters is never unknown
    letters = [form for piece in found if len(piece) == 1 for form in (piece, f"##{piece}")]
    merged = [piece.removeprefix(_MARK) if piece.startswith(_MARK) else f"##{piece}" for piece in found]
    return sorted(list(dict.fromkeys([*letters, *merged]))[:most])
