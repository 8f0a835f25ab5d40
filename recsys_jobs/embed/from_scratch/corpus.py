"""What encoders from scratch are trained on: texts, pairs of texts on one item, photos with their item's text.

T texts, P pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

import duckdb
import numpy as np
from numpy.typing import NDArray

from recsys_jobs.embed.cleaning import clean
from recsys_jobs.embed.needed import open_tables, stored_image

_CONTENTS = """
CREATE TEMP TABLE in_force AS
SELECT item_id, text_hash, raw, image_urls FROM (
    SELECT item_id, text_hash, image_urls, concat(coalesce(title, ''), chr(10), coalesce(description, '')) AS raw,
        row_number() OVER (PARTITION BY item_id ORDER BY landed_on DESC NULLS LAST, item_hash, dataset) AS place
    FROM items WHERE landed_on IS NULL OR landed_on < $boundary
) WHERE place = 1;
CREATE TEMP TABLE written AS
SELECT item_id, text_hash, concat(coalesce(title, ''), chr(10), coalesce(text, '')) AS raw
FROM reviews WHERE text_hash IS NOT NULL AND reviewed_at < $boundary;
"""
_TEXTS = """
SELECT text_hash, min(raw) FROM (
    SELECT text_hash, raw FROM in_force WHERE text_hash IS NOT NULL UNION ALL SELECT text_hash, raw FROM written
) GROUP BY text_hash ORDER BY text_hash LIMIT $most
"""
_PAIRS = """
SELECT DISTINCT in_force.text_hash, written.text_hash FROM in_force JOIN written USING (item_id)
WHERE in_force.text_hash IS NOT NULL AND in_force.text_hash <> written.text_hash ORDER BY ALL
"""
# a file that landed before an address, then the addresses in the version's order, as the snapshots choose
_PHOTOS = """
SELECT item_id, text_hash, content_hash FROM (
    SELECT item_id, text_hash, content_hash, row_number() OVER (
        PARTITION BY item_id ORDER BY coalesce(list_position(image_urls, source), 0), source
    ) AS place
    FROM in_force JOIN item_images USING (item_id)
    WHERE state = 'ok' AND text_hash IS NOT NULL
    AND (source NOT LIKE '%://%' OR list_contains(image_urls, source))
) WHERE place = 1 ORDER BY content_hash, item_id LIMIT $most
"""


@dataclass(frozen=True)
class Photo:
    """One item's photo: the sha256 of its bytes, how to read them, and the row of the item's text."""

    content_hash: str
    read: Callable[[], bytes]
    text_row: int


@dataclass(frozen=True)
class Corpus:
    """Clean texts by ascending content hash; pairs of rows of texts on one item [P, 2]; photos."""

    hashes: list[str]
    texts: list[str]
    pair_P2: NDArray[np.int64]
    photos: list[Photo]

    def identity(self, photos: bool) -> str:
        """Return the sha256 of an encoder's training data: the texts, for an image encoder the photos as well."""
        digest = hashlib.sha256("\n".join(self.hashes).encode())
        digest.update(self.pair_P2.tobytes())
        if photos:
            digest.update("\n".join(f"{photo.content_hash} {photo.text_row}" for photo in self.photos).encode())
        return digest.hexdigest()


def lake_corpus(boundary: date, max_texts: int, max_photos: int) -> Corpus:
    """Return the lake's contents from before the start of `boundary`: reviews written, item versions landed by then.

    A version of unknown landing counts, as it does at every cut.
    """
    with open_tables() as tables:
        tables.execute("SET TimeZone = 'UTC'")
        for statement in _CONTENTS.split(";")[:-1]:
            tables.execute(statement, {"boundary": boundary})
        texts = dict(_rows(tables, _TEXTS, {"most": max_texts}))
        pairs = _rows(tables, _PAIRS, {})
        photos = _rows(tables, _PHOTOS, {"most": max_photos})
    return make_corpus(
        texts, pairs, [(content, partial(stored_image, content, item), text) for item, text, content in photos]
    )


def make_corpus(
    raw_by_hash: Mapping[str, str],
    pairs: list[tuple[str, str]],
    photos: list[tuple[str, Callable[[], bytes], str]],
) -> Corpus:
    """Return the corpus of raw texts by hash, pairs of hashes, and photos (hash, bytes, hash of the item's text).

    A text that is markup alone is left out, and with it whatever names it.
    """
    clean_by_hash = {content: clean(raw_by_hash[content]) for content in sorted(raw_by_hash)}
    hashes = [content for content, text in clean_by_hash.items() if text]
    row = {content: number for number, content in enumerate(hashes)}
    pair_rows = [(row[left], row[right]) for left, right in pairs if left in row and right in row]
    return Corpus(
        hashes,
        [clean_by_hash[content] for content in hashes],
        np.array(pair_rows, np.int64).reshape(-1, 2),
        [Photo(content, read, row[text]) for content, read, text in photos if text in row],
    )


def _rows(tables: duckdb.DuckDBPyConnection, query: str, values: dict[str, int]) -> list[tuple]:
    return tables.execute(query, values).fetchall()
