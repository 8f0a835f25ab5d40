"""A recipe fitted on everything that a data set has, to recommend what comes next. E events."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from recsys_jobs.commands.recommend.for_people import RecommendSource
from recsys_jobs.commands.recommend.options import RecommendOptions
from recsys_jobs.contracts.settings import Settings, load_settings
from recsys_jobs.data import split_protocols
from recsys_jobs.data.readers.detect_layout import is_lake, read_data_set
from recsys_jobs.data.readers.raw import RawData, titles
from recsys_jobs.data.split_protocols import TRAIN, VALIDATION
from recsys_jobs.embed.registry import with_pair
from recsys_jobs.exam.contents import load_contents
from recsys_jobs.exam.datasets import EvaluationDatasets, HistoryAndTargets, build_datasets, needed_reviews
from recsys_jobs.exam.fit_in_process import fit_in_process
from recsys_jobs.exam.scratch_corpus import with_encoders
from recsys_jobs.models.recipes import best_recipe, get_recipe
from recsys_jobs.torch_common.devices import use_all_cores


def fit_on_data(options: RecommendOptions, data: Path) -> RecommendSource:
    """Return the options' recipe fitted on a data set; the fit's own lines go to stdout, as they do in an exam."""
    use_all_cores()
    settings = with_pair(load_settings(), options.encoders)
    if is_lake(data):
        os.environ["RECSYS_LAKE"] = str(data)
    raw = read_data_set(data, options.run_date, settings)
    name = options.model or best_recipe(raw.layout)
    print(f"{raw.name}: {len(raw.users):,} users, {len(raw.items):,} items; fitting {name}", file=sys.stderr)
    datasets = datasets_of_all_events(raw, options.seed, settings)
    fitted, model = fit_in_process(datasets, get_recipe(name), options.seed)
    pairs = len(raw.events.user_E)
    description = f"{name}, fitted on the {pairs:,} pairs of {raw.name} in {fitted.seconds:.1f} s"
    return RecommendSource(model, datasets.score, description, titles(raw))


def datasets_of_all_events(raw: RawData, seed: int, settings: Settings) -> EvaluationDatasets:
    """Return a data set with nothing held back: all events are learned from and known when it is asked.

    A tenth of them, which the usual protocol selects by, is what a model that trains in epochs stops by.
    """
    part_E = split_protocols.split_events(raw.events, split_protocols.default_protocol(raw.events), seed)
    part_E = np.where(part_E == VALIDATION, VALIDATION, TRAIN).astype(part_E.dtype)
    settings = with_encoders(raw, part_E, settings)
    none_E = np.zeros(len(part_E), np.bool_)
    known = HistoryAndTargets(~none_E, none_E, none_E, "everything they had")
    reviews = needed_reviews(raw, part_E, known, settings)
    contents = load_contents(raw, reviews, settings)
    datasets = build_datasets(raw, part_E, known, contents, settings)
    no_validation = replace(datasets.early_stopping, validation_E=np.zeros_like(datasets.early_stopping.validation_E))
    return replace(datasets, train=no_validation)
