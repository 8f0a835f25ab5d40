"""`interactions.tsv.gz` (user, item, split; maybe rating, timestamp) and `items.jsonl.gz`: a published split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recsys_jobs.data.readers import benchmark_items, files
from recsys_jobs.data.readers.raw import PART_NAMES, EventLog, RawData, build_raw_data

FILES = ("interactions.tsv.gz", "items.jsonl.gz")


def read(folder: Path) -> RawData:
    """Return the data set; JobError names the file and line of what is broken."""
    path = folder / FILES[0]
    frame = files.read_columns(path, ("user", "item", "split"), separator="\t")
    part = frame["split"].str.strip().map(PART_NAMES)
    files.reject_where(path, frame["split"], part.isna(), f"known are {', '.join(PART_NAMES)}")
    log = EventLog(
        user=files.required_column(frame, path, "user"),
        item=files.required_column(frame, path, "item"),
        part=part.to_numpy().astype(np.int8),
        **files.ratings_and_times(frame, path),
    )
    return build_raw_data(folder, "split_file", log, benchmark_items.read(folder / FILES[1]), benchmark_items.NUMBERS)
