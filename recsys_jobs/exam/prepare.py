"""From a call to the exam's question: the data read, divided, encoded, and laid out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data import split_protocols
from recsys_jobs.data.readers.detect_layout import is_lake, read_data_set
from recsys_jobs.data.readers.raw import RawData, titles
from recsys_jobs.data.split_protocols import TEST, TRAIN, VALIDATION
from recsys_jobs.embed.night_encoders import night_settings
from recsys_jobs.embed.registry import with_pair
from recsys_jobs.exam.contents import load_contents
from recsys_jobs.exam.datasets import Sitting, know, needed_reviews, sit
from recsys_jobs.exam.night_datasets import sit_night
from recsys_jobs.exam.options import Call
from recsys_jobs.exam.scratch_corpus import with_encoders


@dataclass(frozen=True)
class Question:
    """What is asked of every model, and of which data by which protocol."""

    data: str
    layout: str
    fingerprint: str
    protocol: str
    sitting: Sitting
    titles: dict[str, str] = field(default_factory=dict)  # the first line of an item's text, where it has any
    removed: str = ""  # which contents are gone, as in `image 30%`


def ask(call: Call, settings: Settings, say: Callable[[str], None]) -> Question:
    """Return the question that a call means. A lake that is examined is this process's lake from here on."""
    settings = with_pair(settings, call.encoders)
    if is_lake(call.data):
        os.environ["RECSYS_LAKE"] = str(call.data)
    raw = read_data_set(call.data, call.run_date, settings)
    if call.core is not None:
        raw = replace(raw, core=(call.core, call.core))
    name = call.protocol or split_protocols.default_protocol(raw.events)
    say(f"{raw.name}: {len(raw.users):,} users, {len(raw.items):,} items, {len(raw.events.user_E):,} pairs")
    say(f"protocol {name}: {split_protocols.get_protocol(name).description}")
    if call.run_date and raw.layout == "lake" and name == "global_time":
        say(f"of a lake that is the exam of the night of {call.run_date}: its holdout is test")
        sitting = sit_night(call.run_date, night_settings(settings, call.run_date), call.final)
    else:
        sitting = _divided(raw, name, call, settings, say)
    return Question(raw.name, raw.layout, raw.fingerprint, name, sitting, titles(raw))


def _divided(raw: RawData, name: str, call: Call, settings: Settings, say: Callable[[str], None]) -> Sitting:
    part_E = split_protocols.split_events(raw.events, name, call.seed)
    counted = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    say(", ".join(f"{np.sum(part_E == part):,} {word}" for word, part in counted.items()))
    settings = with_encoders(raw, part_E, settings)
    known = know(part_E, name, call.final, call.mask)
    contents = load_contents(raw, needed_reviews(raw, part_E, known, settings), settings)
    say(f"{contents.text_present_I.sum():,} items with text, {contents.image_present_I.sum():,} with an image")
    return sit(raw, part_E, known, contents, settings)
