"""Makes the vectors of a data set's items before anything is fitted, in the store that fits read."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import load_settings
from recsys_jobs.data.readers.detect_layout import is_lake, read_data_set
from recsys_jobs.embed.from_scratch.sizes import ENCODER_SIZES
from recsys_jobs.embed.registry import with_pair
from recsys_jobs.exam import contents


def compute(data: Path, run_date: date | None, encoders: str, limit: int | None, force: bool) -> None:
    """Encode the texts and images of a data set's items, and print how many were encoded and how many reused.

    Of the first `limit` items by id where there is a limit; again, whatever has a vector, with `force`. Reviews are
    left to the exam, whose protocol says which it reads. Encoders from scratch are refused: what they may see is the
    protocol's, too.
    """
    settings = with_pair(load_settings(), encoders)
    if {settings.text_encoder, settings.image_encoder} & set(ENCODER_SIZES):
        raise UsageError(
            "encoders from scratch are trained by recsys exam on the train part: name others by --encoders"
        )
    if is_lake(data):
        os.environ["RECSYS_LAKE"] = str(data)
    raw = read_data_set(data, run_date, settings)
    part = replace(raw, items=raw.items[:limit], metadata_I=raw.metadata_I[:limit], review_E=[])
    print(f"{raw.name}: {len(part.items):,} of {len(raw.items):,} items", flush=True)
    counts: list[contents.EncodingCounts] = []
    contents.load_contents(part, np.zeros(0, np.bool_), settings, force=force, report=counts.append)
    for count in counts:
        numbers = f"{count.encoded:,} encoded, {count.reused:,} reused, {count.broken:,} unreadable"
        print(f"{count.modality}: {numbers}, {count.encoder}")
