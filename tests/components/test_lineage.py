"""A published slate can be made again from what the night recorded, whatever was written since; `why` explains it.

Real Delta tables, MLflow and fits on a small lake whose vectors are random: to run an encoder would add nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from recsys_jobs.commands.why.print_trace import lines
from recsys_jobs.commands.why.trace import Trace, trace_row
from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CONTENTS, CUTS, INTERACTIONS, ITEM_EDGES, ITEMS, PUBLICATIONS, RECOMMENDATIONS
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.embed import store
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.lake import delta, lineage
from recsys_jobs.models.families import fit
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.night import evaluate, fit_serving, publish, top_k, train
from recsys_jobs.ranking.top_k import top_k as ranked
from recsys_jobs.registry import mlflow_client
from recsys_jobs.registry.fingerprint import model_fingerprint
from tests.unit.test_exam_data import delta_table

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

H, D = date(2014, 2, 20), date(2014, 3, 1)
USERS, ITEMS_, EACH = 40, 24, 6
K = 5
TITLE = "Soap \x1b[31m& <b>water</b>"
CONFIGURATION = """
recipe = "{recipe}"
k = 5
similar_k = 5
min_users = 1
gate_margin = 100.0
min_coverage_ratio = 0.0
min_overlap = 0.0
floors = ["ease_text_recent"]
"""


@pytest.fixture(scope="module", params=["sage_fm_debug", "ease_text_recent"])
def recipe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One night of a recipe, published; afterwards its tables were written to again."""
    home = tmp_path_factory.mktemp(request.param)
    (home / "small.toml").write_text(CONFIGURATION.format(recipe=request.param), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_VAR", str(home))
        patch.setenv("RECSYS_LAKE", str(home / "shop"))
        patch.setenv("RECSYS_CONFIG", str(home / "small.toml"))
        patch.setenv("RECSYS_DEVICE", "cpu")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        snapshot(home / "shop", shift=0)
        for step, more in (
            (train, []),
            (train, ["--floor"]),
            (evaluate, []),
            (fit_serving, []),
            (top_k, []),
            (publish, []),
        ):
            run(step.main, patch, more)
        change_everything(home / "shop")
        yield request.param


def run(main: Callable[[], None], patch: pytest.MonkeyPatch, more: list[str]) -> None:
    patch.setattr(sys, "argv", ["step", "--run-date", str(D), *more])
    main()


def snapshot(folder: Path, shift: int) -> None:
    """Both cuts; everyone takes EACH items in a row, the last of them after H. `shift` moves what they take."""
    for cut in (H, D):
        rows = [pair(user, turn, shift) | {"as_of": cut} for user in range(USERS) for turn in range(EACH)]
        delta_table(folder, INTERACTIONS, [validated(row, cut) for row in rows if row["interacted_at"].date() <= cut])
        items = [{"as_of": cut, "item_id": f"i{n:02}", "dataset": "shop", "item_hash": "h"} for n in range(ITEMS_)]
        texts = [row | {"modality": "text", "content_hash": sha256(row["item_id"])} for row in items]
        delta_table(folder, CONTENTS, [*texts, *(row | {"modality": "image", "reason": "no_url"} for row in items)])
        edges = [{"src": f"i{n:02}", "dst": f"i{n + 1:02}", "kind": "co_review"} for n in range(ITEMS_ - 1)]
        delta_table(folder, ITEM_EDGES, [edge | {"as_of": cut, "weight": 1.0} for edge in edges])
    delta_table(folder, CUTS, [{"run_date": D, "exam_cut": H, "decidable": True}])
    delta_table(folder, ITEMS, [{"item_id": f"i{n:02}", "item_hash": "h", "title": TITLE} for n in range(ITEMS_)])
    contents = [sha256(f"i{n:02}") for n in range(ITEMS_)] + [sha256(f"review {n}") for n in range(USERS * EACH)]
    vectors_ND = np.random.default_rng(shift).normal(size=(len(contents), 12)).astype(np.float32)
    store.append_new(encoder_name(Settings(), "text"), contents, vectors_ND, folder)


def pair(user: int, turn: int, shift: int) -> dict[str, object]:
    at = datetime(2014, 2, 1, 12, tzinfo=UTC) + timedelta(days=turn if turn < EACH - 1 else 25)
    item = (user * 5 + turn * (1 + user % 2) + shift) % ITEMS_
    same = {"user_id": f"u{user:02}", "item_id": f"i{item:02}", "interacted_at": at, "rating": 4.0, "in_core": True}
    return same | {"review_hash": f"r{user}-{turn}", "text_hash": sha256(f"review {user * EACH + turn}"), "turn": turn}


def validated(row: dict[str, object], cut: date) -> dict[str, object]:
    return row | {"split": "validation" if cut == H and row["turn"] == EACH - 2 else "train"}


def change_everything(folder: Path) -> None:
    """Another hand replaces every input: other events, other vectors."""
    for table in (INTERACTIONS, CONTENTS, ITEM_EDGES, CUTS, ITEMS):
        delta.open_table(table).delete()
    delta.open_table(lineage.EMBEDDINGS).delete()
    snapshot(folder, shift=3)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def slates() -> dict[str, list[str]]:
    shown: dict[str, list[str]] = {}
    for row in delta.read_date(RECOMMENDATIONS, D).to_pylist():
        shown.setdefault(row["user_id"], []).append(row["item_id"])
    return shown


def why(user: str = "u07", place: int = 1) -> Trace:
    return trace_row(user, slates()[user][place])


def test_the_recorded_versions_give_the_published_slates_again(recipe: str) -> None:
    """Fitted anew, from nothing but the record: the same fingerprint, and everyone's slate the same."""
    made = lineage.load_publication(D)
    with delta.pinned(made.delta_versions):
        dataset = load_dataset(D, made.settings)
    epochs = made.epochs or None
    assert model_fingerprint(dataset, get_recipe(made.recipe), made.seed, made.epochs) == made.model_fingerprint
    model = fit(dataset, get_recipe(made.recipe), seed=made.seed, epochs=epochs).model
    again = {
        dataset.users[user]: [dataset.items[i] for i in places if i >= 0]
        for block in ranked(model, dataset, made.settings.k)
        for user, places in zip(block.user_B, block.item_BK, strict=True)
    }
    assert again == slates() and len(again) == USERS
    assert load_dataset(D, made.settings).event_item_E.tolist() != dataset.event_item_E.tolist()


def test_the_night_and_its_runs_say_what_they_were_made_from(recipe: str) -> None:
    made = lineage.load_publication()
    assert (made.run_date, made.recipe, made.seed) == (D, recipe, 0)
    assert made.delta_versions["interactions"] == 1 and made.delta_versions["reviews"] is None
    tags = mlflow_client.client().get_run(made.run_id).data.tags
    assert tags["code_version"] == made.code_version and '"interactions": 1' in tags["delta_versions"]
    assert delta.version(INTERACTIONS) > 1


def test_the_terms_sum_to_the_published_score(recipe: str) -> None:
    for place in range(K):
        found = why(place=place)
        assert found.explained == pytest.approx(found.score, abs=1e-5)
        assert (found.rank, found.rebuilt, found.slate) == (place + 1, found.slate, slates()["u07"])
        assert (found.modalities is None, found.events is None) == (
            (True, False) if recipe == "ease_text_recent" else (False, True)
        )


def test_the_history_is_that_of_the_cut(recipe: str) -> None:
    found = why()
    expected = [str(pair(7, turn, shift=0)["item_id"]) for turn in range(EACH)]
    assert [event[2] for event in found.history] == expected
    assert {item for item, _ in found.nearest} == (set() if recipe == "ease_text_recent" else set(expected))


def test_what_is_printed_names_model_run_and_versions_and_cannot_move_a_cursor(recipe: str) -> None:
    found = why()
    text = "\n".join(lines(found))
    for word in (recipe, found.publication.run_id, found.publication.model_fingerprint, "seed 0", "interactions 1"):
        assert word in text
    assert "the slate made again from these: 5 of 5 places alike" in text
    assert "\x1b" not in text and "& <b>water</b>" in text


@pytest.mark.parametrize(
    ("user", "item", "day", "says"),
    [
        ("u99x", "i01", None, "has no slate on 2014-03-01: no event before the end of it.*did you mean 'u0"),
        ("u07", "i999", None, "no such item was eligible at that cut; did you mean 'i09'"),
        ("u07", "i11", None, "they had it on 2014-02-01, and what a user had is never shown"),
        ("u07", "i01", date(2014, 3, 9), "nothing is published for 2014-03-09: the nearest nights are 2014-03-01"),
    ],
)
def test_what_is_not_there_gets_one_line_that_helps(
    recipe: str, user: str, item: str, day: date | None, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        trace_row(user, item, day)


def test_an_item_further_down_is_told_with_the_slate(recipe: str) -> None:
    had = {str(pair(7, turn, shift=0)["item_id"]) for turn in range(EACH)}
    [below, *_] = sorted({f"i{n:02}" for n in range(ITEMS_)} - had - set(slates()["u07"]))
    with pytest.raises(UsageError, match=f"below the last place; shown were {', '.join(slates()['u07'])}"):
        trace_row("u07", below)


def test_a_version_that_is_gone_is_an_error_that_names_it(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(delta.lake_root(), shop)
    monkeypatch.setenv("RECSYS_LAKE", str(shop))
    seen = slates()["u07"][0]
    table = delta.open_table(INTERACTIONS)
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(JobError, match="vacuumed most likely.*publishes the night again"):
        trace_row("u07", seen)
    with delta.pinned({"interactions": 99}), pytest.raises(JobError, match="version 99 of interactions is not kept"):
        delta.open_table(INTERACTIONS)


def test_a_night_from_before_the_record_says_how_to_get_one(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(delta.lake_root(), shop)
    shutil.rmtree(shop / PUBLICATIONS.name)
    monkeypatch.setenv("RECSYS_LAKE", str(shop))
    with pytest.raises(UsageError, match="published before its lineage was recorded: run it again"):
        trace_row("u07", "i01")
