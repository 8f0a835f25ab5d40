"""Prepares an exam by its options: the data read, divided, encoded, and made into datasets. I items, E events."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data import split_protocols
from recsys_jobs.data.readers.detect_layout import is_lake, read_data_set
from recsys_jobs.data.readers.raw import RawData, titles
from recsys_jobs.data.split_protocols import TEST, TRAIN, VALIDATION
from recsys_jobs.embed.night_encoders import night_settings
from recsys_jobs.embed.registry import with_pair
from recsys_jobs.exam.contents import load_contents
from recsys_jobs.exam.datasets import EvaluationDatasets, build_datasets, history_and_targets, needed_reviews
from recsys_jobs.exam.night_datasets import build_night_datasets
from recsys_jobs.exam.options import ExamOptions
from recsys_jobs.exam.scratch_corpus import with_encoders


@dataclass(frozen=True)
class PreparedExam:
    """The datasets that every model is fitted on and measured by, the data that they are of, and the protocol."""

    data: str
    layout: str
    fingerprint: str
    protocol: str
    datasets: EvaluationDatasets
    titles: dict[str, str] = field(default_factory=dict)  # the first line of an item's text, where it has any
    removed: str = ""  # which contents are removed, as in `image 30%`


def prepare_exam(options: ExamOptions, settings: Settings, say: Callable[[str], None]) -> PreparedExam:
    """Return the exam that the options mean. A lake that is examined is this process's lake from here on."""
    settings = with_pair(settings, options.encoders)
    if is_lake(options.data):
        os.environ["RECSYS_LAKE"] = str(options.data)
    raw = read_data_set(options.data, options.run_date, settings)
    if options.core is not None:
        raw = replace(raw, core=(options.core, options.core))
    name = options.protocol or split_protocols.default_protocol(raw.events)
    say(f"{raw.name}: {len(raw.users):,} users, {len(raw.items):,} items, {len(raw.events.user_E):,} pairs")
    say(f"protocol {name}: {split_protocols.get_protocol(name).description}")
    if options.run_date and raw.layout == "lake" and name == "global_time":
        say(f"of a lake that is the exam of the night of {options.run_date}: its holdout is test")
        if options.refit:
            raise UsageError("--refit: a night's exam fits on its cut H alone; choose another --protocol, or leave it")
        datasets = build_night_datasets(options.run_date, night_settings(settings, options.run_date), options.final)
    else:
        datasets = _prepare_by_protocol(raw, name, options, settings, say)
    return PreparedExam(raw.name, raw.layout, raw.fingerprint, name, datasets, titles(raw))


def _prepare_by_protocol(
    raw: RawData, name: str, options: ExamOptions, settings: Settings, say: Callable[[str], None]
) -> EvaluationDatasets:
    part_E = split_protocols.split_events(raw.events, name, options.seed)
    parts = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    say(", ".join(f"{np.sum(part_E == part):,} {part_name}" for part_name, part in parts.items()))
    settings = with_encoders(raw, part_E, settings)
    split = history_and_targets(part_E, name, options.final, options.mask, options.refit)
    contents = load_contents(raw, needed_reviews(raw, part_E, split, settings), settings)
    say(f"{contents.text_present_I.sum():,} items with text, {contents.image_present_I.sum():,} with an image")
    return build_datasets(raw, part_E, split, contents, settings)
