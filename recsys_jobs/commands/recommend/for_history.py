"""A slate for a plain history: find the model, read the history, rank, print. K places."""

from __future__ import annotations

import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from recsys_jobs.commands.recommend import history_file
from recsys_jobs.commands.recommend.history_file import Line
from recsys_jobs.commands.recommend.options import RecommendOptions
from recsys_jobs.commands.recommend.slate_file import write_csv
from recsys_jobs.commands.recommend.stored_catalogue import newest_catalogue
from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.tables import INTERACTIONS
from recsys_jobs.data.from_lake import ORDER
from recsys_jobs.lake import delta
from recsys_jobs.models.sequence.catalogue import Catalogue, best_for


def run(options: RecommendOptions, history: Path) -> None:
    """Print the slate of a history; UsageError where nothing in it is known."""
    lines = history_file.read(history)
    asked_at = _asked_at(options)
    catalogue, run, description = newest_catalogue(options)
    if options.user:
        lines = [*_events_in_lake(options.user, date.fromisoformat(run.data.tags["cut"])), *lines]
    slate = _slate(catalogue, lines, options, asked_at)
    print(f"{description}; {len(catalogue.items):,} items")
    for rank, item, score in slate:
        print(f"{rank:4}  {score:8.4f}  {item}")
    if options.out:
        write_csv(options.out, ("rank", "item_id", "score"), slate)


def _slate(
    catalogue: Catalogue, lines: list[Line], options: RecommendOptions, asked_at: int
) -> list[tuple[int, str, float]]:
    """Return rank, item and score of each place; what is not known of the history is told on stderr."""
    history, unknown = history_file.known_items(lines, catalogue.items)
    for line in unknown:
        where = f"{options.history}, line {line.number}" if line.number else f"user {options.user}"
        print(f"{where}: no item {line.item!r} in the catalogue: left out", file=sys.stderr)
    item_K, score_K = best_for(catalogue, history, asked_at, options.k)
    if not len(item_K):
        raise UsageError(
            f"{options.history}: the model learned of none of its {len(lines)} items, the first of them "
            f"{lines[0].item!r}: check that the ids are of the model's catalogue, as {catalogue.items[0]!r} is"
        )
    places = zip(item_K, np.asarray(score_K, np.float64), strict=True)
    return [(rank, catalogue.items[item], float(score)) for rank, (item, score) in enumerate(places, 1)]


def _events_in_lake(user: str, cut: date) -> list[Line]:
    """Return a person's events before the end of the cut, oldest first; JobError where there are none."""
    events = delta.read_date(INTERACTIONS, cut)
    events = events.filter(pc.equal(events["user_id"], user)).sort_by(ORDER)
    if not events.num_rows:
        raise JobError(f"the lake has no event of user {user} as of {cut}: leave --user out, or check the id")
    rows = events.select(["item_id", "interacted_at", "rating"]).to_pylist()
    return [Line(0, row["item_id"], int(row["interacted_at"].timestamp()), row["rating"]) for row in rows]


def _asked_at(options: RecommendOptions) -> int:
    """Return the seconds since 1970 at which the question is asked."""
    if not options.at:
        return int(time.time())
    try:
        return history_file.seconds(options.at)
    except ValueError:
        raise UsageError(f"--at {options.at!r} is no time: write 2014-03-01 or 2014-03-01T18:30:00") from None
