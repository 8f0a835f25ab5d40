"""One data set as it stands in its files, indexed and in order: every reader returns it.

U users, I items, E events, N numeric columns, G labels, P pairs of an item and a term.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Bools, Floats, Ints
from recsys_jobs.data.split_protocols import TEST, TRAIN, VALIDATION, Events, Parts

log = logging.getLogger(__name__)
_WORD = re.compile(r"[a-z0-9]+")
PART_NAMES = {"train": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "test": TEST}


@dataclass(frozen=True)
class Item:
    """What is known of an item: text (empty where there is none), labels such as brand and genres, photo, numbers.

    `described` is false where the text is a title alone, so that the item's reviews should stand beside it.
    """

    text: str = ""
    labels: tuple[str, ...] = ()
    image: Path | None = None
    numbers: tuple[float, ...] = ()
    described: bool = True


@dataclass(frozen=True)
class EventLog:
    """Events as read, one value each; what the source does not have stays empty. Times are seconds, UTC.

    `ordered` says that a user's events stand in the order in which they happened.
    """

    user: Sequence[str]
    item: Sequence[str]
    time: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    rating: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    part: Parts = field(default_factory=lambda: np.zeros(0, np.int8))
    review: Sequence[str] = ()
    location: Sequence[str] = ()  # the place that the event was made from, as the source writes it
    ordered: bool = False


@dataclass(frozen=True)
class RawData:
    """A data set: ids ascending, events in their total order, each user and item pair once (its first event)."""

    name: str
    layout: str
    folder: Path
    users: list[str]
    items: list[str]
    events: Events
    rating_E: Floats  # NaN where unknown; empty without ratings
    review_E: list[str]  # the event's text, empty where there is none; an empty list without reviews
    metadata_I: list[Item]
    number_names: tuple[str, ...]
    core: tuple[int, int] = (0, 0)  # events that a user and an item need to be learned from
    location_E: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # as in Dataset

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of a hash of ids, pairs, times and split: which interactions these are."""
        digest = hashlib.sha256("\n".join([*self.users, "", *self.items]).encode())
        for array in (self.events.user_E, self.events.item_E, self.events.time_E, self.events.label_E):
            digest.update(array.tobytes())
        return digest.hexdigest()[:16]


def build_raw_data(
    folder: Path,
    layout: str,
    log: EventLog,
    catalogue: Mapping[str, Item],
    number_names: tuple[str, ...] = (),
    core: tuple[int, int] = (0, 0),
) -> RawData:
    """Return the data set of a log and a catalogue; JobError where there are no events.

    JobError, too, where the ids of events and catalogue never meet. The total order is the log's own where it is
    ordered, else (time, item, position) where there are times.
    """
    if not len(log.user):
        raise JobError(f"{folder}: no events in it")
    _require_common_ids(folder, log.item, catalogue)
    user_E, users = _id_codes(log.user)
    item_E, items = _id_codes(log.item, catalogue)
    by_time = len(log.time) > 0 and not log.ordered
    order = np.lexsort((item_E, log.time)) if by_time else np.arange(len(user_E))
    key_E = user_E[order] * len(items) + item_E[order]
    first_E = order[_first_of_pairs(key_E)]
    locations = [_location_number(log.location[event]) for event in first_E] if log.location else []
    return RawData(
        name=folder.name,
        layout=layout,
        folder=folder,
        users=users,
        items=items,
        events=Events(
            user_E[first_E],
            item_E[first_E],
            log.time[first_E] if len(log.time) else log.time,
            log.part[first_E] if len(log.part) else log.part,
            log.ordered or bool(len(log.time)),
        ),
        rating_E=log.rating[first_E] if len(log.rating) else log.rating,
        review_E=[log.review[event] for event in first_E] if log.review else [],
        metadata_I=[catalogue.get(item, Item()) for item in items],
        number_names=number_names,
        core=core,
        location_E=np.array(locations, np.int64),
    )


def _require_common_ids(folder: Path, ids: Sequence[str], catalogue: Mapping[str, Item]) -> None:
    """JobError where no item with an event is described, a warning where fewer than half are."""
    distinct = dict.fromkeys(ids)
    unknown = [item for item in distinct if item not in catalogue]
    if not catalogue or 2 * len(unknown) <= len(distinct):
        return
    example = f"such as {unknown[0]!r}; ids there are written like {next(iter(catalogue))!r}"
    if len(unknown) == len(distinct):
        raise JobError(f"{folder}: no item of the events is among those described, {example}: write both alike")
    log.warning("%s: %d of %d items with events are not described, %s", folder, len(unknown), len(distinct), example)


def numbers(raw: RawData) -> Floats:
    """Return the items' numeric columns [I, N] of which anything is known, NaN where not; no rows without columns."""
    unknown = (np.nan,) * len(raw.number_names)
    number_IN = np.array([item.numbers or unknown for item in raw.metadata_I], np.float32)
    number_IN = number_IN[:, ~np.isnan(number_IN).all(0)]
    return number_IN if number_IN.shape[1] else np.zeros((0, 0), np.float32)


def titles(raw: RawData) -> dict[str, str]:
    """Return the first line of each item's text, where it has any."""
    pairs = zip(raw.items, raw.metadata_I, strict=True)
    return {item: metadata.text.strip().split("\n")[0] for item, metadata in pairs}


def labels(raw: RawData, fewest: int = 2) -> Bools:
    """Return which items bear which label [I, G], labels ascending; those of fewer items than `fewest` tell nothing."""
    pairs = pd.DataFrame(
        [(row, label) for row, item in enumerate(raw.metadata_I) for label in dict.fromkeys(item.labels)],
        columns=["row", "label"],
    )
    frequent = pairs[pairs.groupby("label")["row"].transform("size") >= fewest] if len(pairs) else pairs
    column, names = pd.factorize(frequent["label"], sort=True)
    if not len(names):
        return np.zeros((0, 0), np.bool_)
    row = frequent["row"].to_numpy(np.int64)
    label_IG = np.zeros((len(raw.items), len(names)), np.bool_)
    label_IG[row, column] = True
    return label_IG


def terms(raw: RawData, fewest: int = 2) -> tuple[Ints, Ints]:
    """Return pairs of an item and one of its terms: whole labels and the words of its text, in lower case.

    A term is a number below 2^31 that its name gives; those of fewer items than `fewest` tell nothing.
    """
    pairs = [(row, name) for row, item in enumerate(raw.metadata_I) for name in _term_names(item)]
    item_P = np.array([row for row, _ in pairs], np.int64)
    number = {name: hash_to_int31(name) for _, name in pairs}
    term_P = np.array([number[name] for _, name in pairs], np.int64)
    _, term_row_P, counts = np.unique(term_P, return_inverse=True, return_counts=True)
    frequent_P = counts[term_row_P] >= fewest if len(pairs) else np.zeros(0, np.bool_)
    return item_P[frequent_P], term_P[frequent_P]


def _term_names(item: Item) -> list[str]:
    words = _WORD.findall(item.text.lower())
    return sorted({*words, *(label.lower() for label in item.labels)})


def _id_codes(ids: Sequence[str], others: Mapping[str, Item] | None = None) -> tuple[Ints, list[str]]:
    """Return each id's code, its rank among all the distinct ids, and these; `others` are ids without events."""
    row_E, distinct = pd.factorize(np.asarray(ids, dtype=object))
    all_ids = sorted(set(distinct) | set(others or ()))
    code = {name: rank for rank, name in enumerate(all_ids)}
    return np.array([code[name] for name in distinct], np.int64)[row_E], all_ids


def _location_number(location: str) -> int:
    """Return a number below 2^31 for a place's name, -1 for none; another data set gives it the same."""
    name = " ".join(location.lower().split())
    return hash_to_int31(name) if name else -1


def hash_to_int31(name: str) -> int:
    """Return a number below 2^31, the same for a name wherever it stands."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1


def _first_of_pairs(key_E: Ints) -> Ints:
    return np.sort(np.unique(key_E, return_index=True)[1])
