"""Why each place of a person's slate is there, as JSON for the pages.

`python -m recsys_jobs.commands.why.slate_terms --user=ID --run-date D`. The last line of output is an object:
`places`, each with rank, item, score and `groups` of terms that sum to the score. What takes long, reading the inputs
and the model, is done once for the whole slate.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from typing import Any

from recsys_jobs.commands.show.slate import slate_of
from recsys_jobs.commands.why.trace import files_must_be_there, split_score
from recsys_jobs.contracts.errors import UsageError, run_main
from recsys_jobs.contracts.settings import parse_date
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake import delta
from recsys_jobs.lake.lineage import Publication, load_publication
from recsys_jobs.lake.sql import connect
from recsys_jobs.models import families
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.ranking.model import ModalityTerms
from recsys_jobs.registry.fits import stored_weights

ITEM, OTHER = "item", "other"  # kinds of term: what one item of the history adds, and everything else
Term = tuple[str, str, float]  # kind, item id or words, value
_TERMS = 12  # of a group; the rest is one term


def slate_terms(publication: Publication, user: str) -> dict[str, Any]:
    """The JSON object of a person's slate; UsageError where there is none, JobError where its inputs are gone."""
    with delta.pinned(publication.delta_versions), files_must_be_there(publication):
        slate = slate_of(connect(), publication.run_date, user)
        if not slate:
            raise UsageError(f"user {user!r} has no slate on {publication.run_date}")
        dataset = load_dataset(publication.run_date, publication.settings)
    recipe = get_recipe(publication.recipe)
    model = families.load(stored_weights(publication.run_id), dataset, recipe)
    row = dataset.users.index(user)
    places = []
    for rank, score, item, *_ in slate:
        split = split_score(model, recipe, dataset, row, dataset.items.index(item))
        places.append({"rank": rank, "item": item, "score": score, "groups": groups(split)})
    return {"recipe": publication.recipe, "places": places}


def groups(split: dict[str, Any]) -> list[dict[str, Any]]:
    """The terms of one score in groups, each with a name and its sum; none where the score does not split."""
    if split["modalities"] is not None:
        return [_group("", _modality_terms(split["modalities"]))]
    if split["parts"] is not None:
        return [
            _group(name, _history_terms(part.events or {}, part.recent_popularity), part.total)
            for name, part in split["parts"].items()
        ]
    if split["events"] is None:
        return []
    return [_group("", _history_terms(split["events"], split["recent_popularity"]))]


def _group(name: str, terms: list[Term], total: float | None = None) -> dict[str, Any]:
    """A group of the largest terms, the rest as one; `total` may hold a constant that no term has."""
    largest = sorted(terms, key=lambda term: -abs(term[2]))
    shown, rest = largest[:_TERMS], largest[_TERMS:]
    if rest:
        shown.append((OTHER, f"{len(rest)} more", sum(value for *_, value in rest)))
    explained = sum(value for *_, value in terms)
    if total is not None and terms and abs(total - explained) > 1e-9:
        shown.append((OTHER, "less what all items have on average for this person", total - explained))
    return {"name": name, "total": explained if total is None else total, "terms": shown}


def _history_terms(events: dict[str, float], recent_popularity: float | None) -> list[Term]:
    terms = [(ITEM, item, value) for item, value in events.items()]
    if recent_popularity is not None:
        terms.append((OTHER, "recent popularity, whoever it is", recent_popularity))
    return terms


def _modality_terms(terms: ModalityTerms) -> list[Term]:
    across = [
        (OTHER, f"{user} of the person with {item} of the item", value)
        for user, values in zip(terms.user, terms.across_MN.tolist(), strict=True)
        for item, value in zip(terms.item, values, strict=True)
    ]
    alone = zip(terms.item, terms.alone_N.tolist(), strict=True)
    return across + [(OTHER, f"{item} of the item, whoever it is", value) for item, value in alone]


def main() -> None:
    """The program's command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--user", required=True, help="the person's id")
    parser.add_argument("--run-date", required=True, help="the night's date, YYYY-MM-DD")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    publication = load_publication(parse_date(arguments.run_date))
    print(json.dumps(slate_terms(publication, arguments.user)))


if __name__ == "__main__":
    run_main(main)
