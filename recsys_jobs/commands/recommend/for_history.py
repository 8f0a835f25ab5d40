"""A slate for a plain history: find the model, read the history, rank, print. N events, K places."""

from __future__ import annotations

import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from recsys_jobs.commands.recommend import history_file
from recsys_jobs.commands.recommend.history_file import Line
from recsys_jobs.commands.recommend.kept import newest
from recsys_jobs.commands.recommend.options import Call
from recsys_jobs.commands.recommend.written import write_csv
from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.tables import INTERACTIONS
from recsys_jobs.data.from_lake import ORDER
from recsys_jobs.lake import delta
from recsys_jobs.models.sequence.catalogue import Catalogue, best_for


def run(call: Call, history: Path) -> None:
    """Print the slate of a history; UsageError where nothing in it is known."""
    lines = history_file.read(history)
    asked_at = _asked_at(call)
    catalogue, found, words = newest(call)
    before = _of_user(call.user, date.fromisoformat(found.data.tags["cut"])) if call.user else []
    slate = _slate(catalogue, [*before, *lines], call, asked_at)
    print(f"{words}; {len(catalogue.items):,} items")
    for rank, item, score in slate:
        print(f"{rank:4}  {score:8.4f}  {item}")
    if call.out:
        write_csv(call.out, ("rank", "item_id", "score"), slate)


def _slate(catalogue: Catalogue, lines: list[Line], call: Call, asked_at: int) -> list[tuple[int, str, float]]:
    """Return rank, item and score of each place; what is not known of the history is told on stderr."""
    history, unknown = history_file.known_items(lines, catalogue.items)
    for line in unknown:
        where = f"{call.history}, line {line.number}" if line.number else f"user {call.user}"
        print(f"{where}: no item {line.item!r} in the catalogue: left out", file=sys.stderr)
    best_K, score_K = best_for(catalogue, history, asked_at, call.k)
    if not len(best_K):
        raise UsageError(
            f"{call.history}: the model learned of none of its {len(lines)} items, the first of them "
            f"{lines[0].item!r}: check that the ids are of the model's catalogue, as {catalogue.items[0]!r} is"
        )
    places = zip(best_K, np.asarray(score_K, np.float64), strict=True)
    return [(rank, catalogue.items[item], float(score)) for rank, (item, score) in enumerate(places, 1)]


def _of_user(user: str, cut: date) -> list[Line]:
    """Return a person's events before the end of the cut, oldest first; JobError where there are none."""
    events = delta.read_date(INTERACTIONS, cut)
    events = events.filter(pc.equal(events["user_id"], user)).sort_by(ORDER)
    if not events.num_rows:
        raise JobError(f"the lake has no event of user {user} as of {cut}: leave --user out, or check the id")
    rows = events.select(["item_id", "interacted_at", "rating"]).to_pylist()
    return [Line(0, row["item_id"], int(row["interacted_at"].timestamp()), row["rating"]) for row in rows]


def _asked_at(call: Call) -> int:
    if not call.at:
        return int(time.time())
    try:
        return history_file.seconds(call.at)
    except ValueError:
        raise UsageError(f"--at {call.at!r} is no time: write 2014-03-01 or 2014-03-01T18:30:00") from None
