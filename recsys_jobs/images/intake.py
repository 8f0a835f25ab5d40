"""Takes in the images of a date: a bounded pool of threads tries the sources and records each attempt.

An item's sources are tried in order until one gives an image. A URL that no server answers ends its
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
from recsys_jobs.images.image_candidates import Candidates, Item, Source, open_candidates
from recsys_jobs.images.ledger import Ledger, Row
from recsys_jobs.images.outcome import BLOCKED, OK, UNREACHABLE, NoImage, Outcome
from recsys_jobs.images.validate import normalise

log = logging.getLogger(__name__)

QUEUED_PER_WORKER = 4  # items handed to the pool, per worker


@dataclass(frozen=True)
class IntakeContext:
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
    adopted: int  # sources whose outcome another item's row already held
    tried: dict[str, int]

    def __str__(self) -> str:
        states = ", ".join(f"{state} {count}" for state, count in sorted(self.tried.items())) or "none"
        return (
            f"{self.eligible} items eligible, {self.without_source} name no image, {self.known} were already known; "
            f"{sum(self.tried.values())} sources tried ({states}), {self.adopted} known from another item"
        )


def run_intake(context: IntakeContext) -> Counts:
    """Try the date's sources that are due; record every outcome; return the counts."""
    known, adopted = 0, 0
    tried: Counter[str] = Counter()
    with (
        open_candidates(context.day, context.landing, context.lake) as candidates,
        Fetcher(context.settings) as fetcher,
        Ledger(context.lake) as ledger,
    ):
        download = SharedDownloads(lambda source: _store_image(context, fetcher, source))
        for rows in _with_progress_bar(candidates, _resolve_all(context, candidates.items, download)):
            ledger.add(rows)
            known += not rows
            adopted += sum(row.is_adopted for row in rows)
            tried.update(row.outcome.state for row in rows if not row.is_adopted)
    return Counts(candidates.eligible, candidates.eligible - candidates.with_sources, known, adopted, dict(tried))


def is_due(context: IntakeContext, source: Source) -> bool:
    """Whether the source is to be tried: never seen, or seen on an earlier night and worth another try.

    An image in the store is never fetched again. A file is looked at again until it is good, and a
    blocked URL once its host is named in the settings: both may have been mended.
    """
    if source.own is None:
        return True
    outcome = source.own.outcome
    if outcome.state == OK:
        return not store.has(context.lake, outcome.content_hash or "")
    if source.own.checked_on >= context.day:
        return False
    if outcome.state == BLOCKED and not source.is_file:
        return _is_allowed_now(context, source.source)
    return outcome.state == UNREACHABLE or source.is_file


def _is_allowed_now(context: IntakeContext, url: str) -> bool:
    allowed = context.settings.image_allowed_hosts
    try:
        target = address.parse(url, allowed)
    except NoImage:
        return False
    return address.is_named(target.host, target.port, allowed)


def resolve_item(context: IntakeContext, item: Item, download: Callable[[Source], Outcome]) -> list[Row]:
    """Walk an item's chains of sources and return the new rows, each source once.

    A good file ends the search; otherwise each version of the item gets its first good URL.
    """
    rows: dict[str, Row] = {}
    for chain in item.chains:
        for source in chain:
            if source.source in rows:
                outcome = rows[source.source].outcome
            elif source.own is not None and not is_due(context, source):
                outcome = source.own.outcome
            else:
                rows[source.source] = row = _adopt_or_try(context, item, source, download)
                outcome = row.outcome
            if outcome.state == OK and source.is_file:
                return list(rows.values())
            if outcome.state == OK or (outcome.state == UNREACHABLE and not source.is_file):
                break
    return list(rows.values())


def _adopt_or_try(context: IntakeContext, item: Item, source: Source, download: Callable[[Source], Outcome]) -> Row:
    """Return the outcome that another item's row holds for the URL, or else try it."""
    attempt = source.other
    if source.own is None and attempt is not None and _still_holds(context, attempt.outcome):
        return Row(item.item_id, source.source, attempt.outcome, attempt.checked_on, is_adopted=True)
    return Row(item.item_id, source.source, download(source), context.day)


def _still_holds(context: IntakeContext, outcome: Outcome) -> bool:
    return outcome.state != OK or store.has(context.lake, outcome.content_hash or "")


def _store_image(context: IntakeContext, fetcher: Fetcher, source: Source) -> Outcome:
    """Read or fetch an image, validate it, store it."""
    settings = context.settings
    try:
        if source.is_file:
            data = local.read(context.landing, source.source, settings.image_max_bytes)
        else:
            data = fetcher.fetch(source.source)
        picture = normalise(data, settings.image_side, settings.image_max_pixels)
    except NoImage as no_image:
        return Outcome(no_image.state, detail=no_image.detail)
    content_hash = store.put(context.lake, picture.jpeg)
    return Outcome(OK, content_hash, picture.width, picture.height)


class SharedDownloads:
    """Downloads a URL that several items name (a shop's "no image" picture) once a run."""

    def __init__(self, download: Callable[[Source], Outcome]) -> None:
        self._download = download
        self._downloads: dict[str, Future[Outcome]] = {}
        self._lock = threading.Lock()

    def __call__(self, source: Source) -> Outcome:
        if not source.is_shared:
            return self._download(source)
        with self._lock:
            is_first = source.source not in self._downloads
            future = self._downloads.setdefault(source.source, Future())
        if is_first:
            try:
                future.set_result(self._download(source))
            except BaseException as error:
                future.set_exception(error)
                raise
        return future.result()


class _NeedsDownload(Exception):
    """An item cannot be resolved from earlier attempts."""


def _refuse_download(source: Source) -> Outcome:
    raise _NeedsDownload


def _resolve_all(
    context: IntakeContext, items: Iterator[Item], download: Callable[[Source], Outcome]
) -> Iterator[list[Row]]:
    """Yield the new rows of each item, as they come; an empty list for an item with nothing left to try."""
    running: list[Future[list[Row]]] = []
    pool = ThreadPoolExecutor(context.settings.image_workers, "image")
    try:
        for item in items:
            try:
                yield resolve_item(context, item, _refuse_download)
            except _NeedsDownload:
                running.append(pool.submit(resolve_item, context, item, download))
            if len(running) >= QUEUED_PER_WORKER * context.settings.image_workers:
                wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in running if future.done())
                running = [future for future in running if not future.done()]
        yield from (future.result() for future in running)
    finally:
        pool.shutdown(cancel_futures=True)


def _with_progress_bar(candidates: Candidates, resolved: Iterator[list[Row]]) -> Iterator[list[Row]]:
    # In a log file each refresh is a line: there, one every ten seconds is enough.
    seconds = 0.5 if sys.stderr.isatty() else 10.0
    return iter(tqdm(resolved, "images", candidates.with_sources, unit="item", mininterval=seconds, file=sys.stderr))
