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
    pieces = [*SPECIAL, *_pieces(texts, vocabulary - len(SPECIAL))]
    id_of_piece = {piece: number for number, piece in enumerate(pieces)}
    BertTokenizer(vocab=id_of_piece, model_max_length=length).save_pretrained(folder)


def _pieces(texts: Iterable[str], max_pieces: int) -> list[str]:
    """Return word pieces, ascending: the letters first of all, then what was merged first."""
    rank = _train_bpe(texts, max_pieces)
    pieces = sorted(set(rank) - {_MARK}, key=lambda piece: rank[piece])
    # a letter may start a word or stand in it, so that a word of known letters is never unknown
    letters = [form for piece in pieces if len(piece) == 1 for form in (piece, f"##{piece}")]
    merged = [_as_wordpiece(piece) for piece in pieces]
    distinct = list(dict.fromkeys([*letters, *merged]))
    return sorted(distinct[:max_pieces])


def _train_bpe(texts: Iterable[str], max_pieces: int) -> dict[str, int]:
    """Return BPE's pieces by rank: the letters, then the merges in the order in which they were learned."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.BertNormalizer()
    words = pre_tokenizers.BertPreTokenizer()
    marked = pre_tokenizers.Metaspace(replacement=_MARK, prepend_scheme="always", split=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, marked])
    trainer = trainers.BpeTrainer(vocab_size=max(1, max_pieces), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.get_vocab()


def _as_wordpiece(piece: str) -> str:
    """A piece with the mark starts a word; any other continues one."""
    return piece.removeprefix(_MARK) if piece.startswith(_MARK) else f"##{piece}"
