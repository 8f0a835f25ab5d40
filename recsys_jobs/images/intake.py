"""Take the images of a date in: a bounded pool of threads over the sources, a record of each attempt.

An item's sources are tried in order until one gives an image. A URL that nobody answers ends its
chain, to be tried again the next night: the next best picture is for those whose best is lost.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tqdm import tqdm

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.images import address, local, store
from recsys_jobs.images.fetch import Fetcher
from recsys_jobs.images.image_candidates import Item, Source, Wanted, wanted
from recsys_jobs.images.ledger import Ledger, Row
from recsys_jobs.images.outcome import BLOCKED, OK, UNREACHABLE, NoImage, Outcome
from recsys_jobs.images.validate import normalise

log = logging.getLogger(__name__)

AHEAD = 4  # items handed to the pool, per worker


@dataclass(frozen=True)
class Run:
    """What stays the same during one intake."""

    day: date
    settings: Settings
    landing: Path
    lake: Path


@dataclass(frozen=True)
class Counts:
    """What an intake did: items, and sources tried by state."""

    eligible: int
    without_source: int
    known: int  # items with nothing left to try
    adopted: int  # sources whose outcome another item's row already told
    tried: dict[str, int]

    def __str__(self) -> str:
        states = ", ".join(f"{state} {count}" for state, count in sorted(self.tried.items())) or "none"
        return (
            f"{self.eligible} items eligible, {self.without_source} name no image, {self.known} were already known; "
            f"{sum(self.tried.values())} sources tried ({states}), {self.adopted} known from another item"
        )


def take_in(run: Run) -> Counts:
    """Try what the date wants and nobody tried yet; record every outcome; return the counts."""
    known, adopted = 0, 0
    tried: Counter[str] = Counter()
    with wanted(run.day, run.landing, run.lake) as want, Fetcher(run.settings) as fetcher, Ledger(run.lake) as ledger:
        take = Shared(lambda source: _take(run, fetcher, source))
        for rows in _progress(want, _settled(run, want.items, take)):
            ledger.add(rows)
            known += not rows
            adopted += sum(row.is_adopted for row in rows)
            tried.update(row.outcome.state for row in rows if not row.is_adopted)
    return Counts(want.eligible, want.eligible - want.with_sources, known, adopted, dict(tried))


def is_due(run: Run, source: Source) -> bool:
    """Whether the source is to be tried: never seen, or seen on an earlier night and worth another try.

    An image in the store is never fetched again. A file is looked at again until it is good, and a
    blocked URL once its host is named in the settings: both may have been mended.
    """
    if source.own is None:
        return True
    outcome = source.own.outcome
    if outcome.state == OK:
        return not store.has(run.lake, outcome.content_hash or "")
    if source.own.checked_on >= run.day:
        return False
    if outcome.state == BLOCKED and not source.is_file:
        return _is_named_now(run, source.source)
    return outcome.state == UNREACHABLE or source.is_file


def _is_named_now(run: Run, url: str) -> bool:
    allowed = run.settings.image_allowed_hosts
    try:
        target = address.parse(url, allowed)
    except NoImage:
        return False
    return address.is_named(target.host, target.port, allowed)


def settle(run: Run, item: Item, take: Callable[[Source], Outcome]) -> list[Row]:
    """Walk an item's chains of sources and return the new rows, each source once.

    A file that is good settles the item; otherwise each version of it gets the first good URL.
    """
    rows: dict[str, Row] = {}
    for chain in item.chains:
        for source in chain:
            if source.source in rows:
                outcome = rows[source.source].outcome
            elif source.own is not None and not is_due(run, source):
                outcome = source.own.outcome
            else:
                rows[source.source] = row = _look(run, item, source, take)
                outcome = row.outcome
            if outcome.state == OK and source.is_file:
                return list(rows.values())
            if outcome.state == OK or (outcome.state == UNREACHABLE and not source.is_file):
                break
    return list(rows.values())


def _look(run: Run, item: Item, source: Source, take: Callable[[Source], Outcome]) -> Row:
    """Adopt what another item's row tells of the URL, or else try it."""
    other = source.other
    if source.own is None and other is not None and _still_holds(run, other.outcome):
        return Row(item.item_id, source.source, other.outcome, other.checked_on, is_adopted=True)
    return Row(item.item_id, source.source, take(source), run.day)


def _still_holds(run: Run, outcome: Outcome) -> bool:
    return outcome.state != OK or store.has(run.lake, outcome.content_hash or "")


def _take(run: Run, fetcher: Fetcher, source: Source) -> Outcome:
    """Read or fetch, validate, store."""
    settings = run.settings
    try:
        if source.is_file:
            data = local.read(run.landing, source.source, settings.image_max_bytes)
        else:
            data = fetcher.fetch(source.source)
        picture = normalise(data, settings.image_side, settings.image_max_pixels)
    except NoImage as none:
        return Outcome(none.state, detail=none.detail)
    return Outcome(OK, store.put(run.lake, picture.jpeg), picture.width, picture.height)


class Shared:
    """Takes a URL that several items name (a shop's "no image" picture) once a run."""

    def __init__(self, take: Callable[[Source], Outcome]) -> None:
        self._take = take
        self._taken: dict[str, Future[Outcome]] = {}
        self._lock = threading.Lock()

    def __call__(self, source: Source) -> Outcome:
        if not source.is_shared:
            return self._take(source)
        with self._lock:
            is_first = source.source not in self._taken
            future = self._taken.setdefault(source.source, Future())
        if is_first:
            try:
                future.set_result(self._take(source))
            except BaseException as error:
                future.set_exception(error)
                raise
        return future.result()


class _NeedsWork(Exception):
    """An item cannot be settled from what is known."""


def _not_here(source: Source) -> Outcome:
    raise _NeedsWork


def _settled(run: Run, items: Iterator[Item], take: Callable[[Source], Outcome]) -> Iterator[list[Row]]:
    """The new rows of each item, as they come; an empty list for an item with nothing left to try."""
    running: list[Future[list[Row]]] = []
    pool = ThreadPoolExecutor(run.settings.image_workers, "image")
    try:
        for item in items:
            try:
                yield settle(run, item, _not_here)
            except _NeedsWork:
                running.append(pool.submit(settle, run, item, take))
            if len(running) >= AHEAD * run.settings.image_workers:
                wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in running if future.done())
                running = [future for future in running if not future.done()]
        yield from (future.result() for future in running)
    finally:
        pool.shutdown(cancel_futures=True)


def _progress(want: Wanted, settled: Iterator[list[Row]]) -> Iterator[list[Row]]:
    # In a log file each refresh is a line: there, one every ten seconds is enough.
    every = 0.5 if sys.stderr.isatty() else 10.0
    return iter(tqdm(settled, "images", want.with_sources, unit="item", mininterval=every, file=sys.stderr))
