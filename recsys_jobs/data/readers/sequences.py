"""`sequences.txt.gz` (each line a user and its items in the order it had them) and `items.jsonl.gz`."""

from __future__ import annotations

from pathlib import Path

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.readers import benchmark_items, files
from recsys_jobs.data.readers.raw import EventLog, RawData, build_raw_data

FILES = ("sequences.txt.gz", "items.jsonl.gz")


def read(folder: Path) -> RawData:
    """Return the data set; JobError names the file and line of what is broken."""
    path = folder / FILES[0]
    users: list[str] = []
    items: list[str] = []
    first: dict[str, int] = {}
    for number, line in files.text_lines(path):
        user, *sequence = line.split()
        if not sequence:
            raise JobError(f"{path}, line {number}: user {user} without an item")
        if first.setdefault(user, number) != number:
            raise JobError(f"{path}, line {number}: user {user} stands on line {first[user]} already")
        users += [user] * len(sequence)
        items += sequence
    log = EventLog(users, items, ordered=True)
    return build_raw_data(folder, "sequences", log, benchmark_items.read(folder / FILES[1]), benchmark_items.NUMBERS)
