"""Real nights through Airflow on a small sample: what a user sees, what a repeated night does, what a bad file does.

One lake for the module: the tests run in order, each a night further on.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.lake.sql import query
from recsys_jobs.operations.airflow.night_runner import Night, run_night
from recsys_jobs.sample.dates import FIRST_NIGHT, SECOND_NIGHT
from recsys_jobs.sample.landing import DATASET, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

USERS = 300
CONFIGURATION = """
user_core = 3
item_core = 3
min_users = 20
k = 5
similar_k = 5
"""
SLATES = "select * exclude (model_version) from recommendations where run_date = $day order by user_id, rank"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of its own: landing zone, lake, Airflow, MLflow."""
    home = tmp_path_factory.mktemp("night")
    (home / "small.toml").write_text(CONFIGURATION, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_VAR", str(home))
        patch.setenv("RECSYS_LANDING", str(home / "landing"))
        patch.setenv("RECSYS_LAKE", str(home / "shop"))
        patch.setenv("RECSYS_CONFIG", str(home / "small.toml"))
        patch.setenv("RECSYS_SPARK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
        for name in ("MLFLOW_TRACKING_URI", "AIRFLOW_HOME"):
            patch.delenv(name, raising=False)
        yield home


@pytest.fixture(scope="module")
def first_night(home: Path) -> Night:
    write(home / "landing", USERS, seed=1, until=FIRST_NIGHT)
    return run_night(FIRST_NIGHT)


def rows(statement: str) -> list[tuple[Any, ...]]:
    return query(statement).fetchall()


def slates(day: date) -> pd.DataFrame:
    return query(SLATES.replace("$day", f"DATE '{day}'")).df()


def said(night: Night, words: str) -> list[str]:
    return [line for task in night.tasks for line in task.lines if words in line]


def test_everyone_gets_k_new_items(first_night: Night) -> None:
    published = slates(FIRST_NIGHT)
    [(everyone,)] = rows(
        "select max(users) from (select count(distinct user_id) as users from interactions group by as_of)"
    )
    assert published["user_id"].nunique() == everyone > 200
    assert (published.groupby("user_id").size() == 5).all()
    owned = "select count(*) from recommendations join interactions using (user_id, item_id) where run_date = as_of"
    assert rows(owned) == [(0,)]


def test_every_landed_line_is_accounted_for(first_night: Night) -> None:
    assert rows(
        "select count(*) from ingest_files where rows_read <> rows_good + rows_quarantined + rows_duplicate"
    ) == [(0,)]
    assert rows("select sum(rows_quarantined) = (select count(*) from quarantine) from ingest_files") == [(True,)]
    assert rows("select count(*) > 0 from quarantine where raw is not null and reason is not null") == [(True,)]


def test_the_exam_has_the_model_the_floor_and_popularity(first_night: Night) -> None:
    found = rows(
        "select recipe, low <= value and value <= high from model_metrics "
        "where slice = 'all' and metric = 'ndcg' and k = 5"
    )
    [(floor,)] = rows("select distinct floor from promotions where kind = 'gate'")
    assert floor in Settings().floors
    names = {"recent_sage", floor, "popularity", "popularity_recent"}
    assert sorted(found) == [(name, True) for name in sorted(names)]
    assert said(first_night, f"the floor is {floor}, of multimodal_knn_recent, ease_text_recent")


def test_the_decision_and_what_was_published_agree(first_night: Night) -> None:
    gate = "select decision, publishes, reason, floor from promotions where kind = 'gate'"
    [(decision, publishes, reason, floor)] = rows(gate)
    [(name,)] = rows("select distinct model_name from recommendations")
    assert name == ("shop-recommender" if publishes == "recent_sage" else floor)
    assert (decision == "passed") == (publishes == "recent_sage")
    assert reason in " ".join(said(first_night, "NDCG differs"))
    assert said(first_night, "of the exam fit's places are filled alike")


def test_the_registered_model_answers_as_the_table_does(first_night: Night) -> None:
    import mlflow

    from recsys_jobs.registry import mlflow_client

    champion = mlflow_client.version_with_alias(mlflow_client.CHAMPION)
    published = slates(FIRST_NIGHT)
    if champion is None:  # the gate kept the model out, and says so
        assert rows("select distinct publishes = floor from promotions") == [(True,)]
        return
    model = mlflow.pyfunc.load_model(f"models:/{mlflow_client.registered_name()}@champion")
    users = sorted(published["user_id"].unique())[:20]
    answer = model.predict(pd.DataFrame({"user_id": [*users, "a stranger"]}), params={"k": 5})
    expected = published[published["user_id"].isin(users)]
    assert answer["user_id"].tolist() == expected["user_id"].tolist()
    assert answer["item_id"].tolist() == expected["item_id"].tolist()


def test_the_report_and_the_data_docs_are_where_people_look(first_night: Night, home: Path) -> None:
    page = (home / "reports" / f"night-{FIRST_NIGHT}.html").read_text(encoding="utf-8")
    assert "popularity_recent" in page and "data:image/png;base64" in page
    assert (home / "data_docs" / "index.html").exists()


def test_a_repeated_night_changes_nothing_and_costs_little(first_night: Night) -> None:
    before, versions = slates(FIRST_NIGHT), rows("select count(*) from promotions")
    night = run_night(FIRST_NIGHT)
    pd.testing.assert_frame_equal(slates(FIRST_NIGHT), before)
    assert rows("select count(*) from promotions") == versions
    assert [line.split("encoded=")[1].split()[0] for line in said(night, "encoded=")] == ["0", "0"]
    assert said(night, "found, not trained again")
    assert not said(night, "epoch 1:")
    assert not said(night, "registered ")


def test_a_file_cut_short_turns_the_night_red_and_the_last_night_stands(first_night: Night, home: Path) -> None:
    write(home / "landing", USERS, seed=1, until=SECOND_NIGHT)
    whole = gzip.compress(b'{"user_id": "u", "parent_asin": "i", "rating": 5.0, "timestamp": 1714400000000}\n' * 500)
    bad = home / "landing" / DATASET / f"date={SECOND_NIGHT}" / "reviews" / "late.jsonl.gz"
    bad.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(JobError, match=r"ingest.dumps: error: .*late\.jsonl\.gz"):
        run_night(SECOND_NIGHT)
    assert rows("select max(run_date) from recommendations") == [(FIRST_NIGHT,)]
    assert rows("select count(*) from reviews where path like '%late.jsonl.gz'") == [(0,)]
    assert rows("select state from ingest_files where path like '%late.jsonl.gz'") == [("refused",)]


def test_the_next_night_goes_on_without_it_when_told_and_encodes_what_is_new(first_night: Night) -> None:
    night = run_night(SECOND_NIGHT, allow_refused=True)
    assert slates(SECOND_NIGHT)["user_id"].nunique() >= slates(FIRST_NIGHT)["user_id"].nunique()
    [text] = said(night, "embed text:")
    needed, known, encoded = (int(text.split(f"{word}=")[1].split()[0]) for word in ("needed", "known", "encoded"))
    assert 0 < encoded < known < needed
