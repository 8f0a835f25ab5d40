"""Rows, table and the count of looks at test figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.tables import MODEL_METRICS
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.exam import results, test_set_uses
from recsys_jobs.exam.datasets import EvaluationDatasets
from recsys_jobs.exam.fit_in_process import FitSummary
from recsys_jobs.exam.options import ExamOptions
from recsys_jobs.exam.prepare import PreparedExam
from recsys_jobs.exam.results import Row
from recsys_jobs.exam.run import default_output, measure
from recsys_jobs.models.recipes import get_recipe
from tests.unit.test_ratings import Stars
from tests.unit.worlds import dataset

SCORED = dataset([(0, 0), (1, 1)], 2, 4)
HOLDOUT = Holdout(np.array([0, 1]), np.array([1, 0]), dropped=3, rating_T=np.array([4.0, 2.0], np.float32))
QUESTION = PreparedExam(
    "shop", "sequences", "abc", "leave_last_out", EvaluationDatasets(SCORED, SCORED, SCORED, HOLDOUT, None, "train")
)
SCORES = {"popularity": [[1.0, 4, 3, 2], [4, 1, 3, 2]], "random": [[1.0, 2, 3, 4], [1, 2, 3, 4]]}


def rows(call: ExamOptions) -> list[Row]:
    """Both models' rows; `random` is measured first and is the worse."""
    made = []
    for name in ("random", "popularity"):
        measured = measure(Stars(torch.tensor(SCORES[name])), QUESTION, call)
        made += results.result_rows(
            call, QUESTION, FitSummary(get_recipe(name), "f" + name, 3, 1.25, 512.0, [], {}), measured
        )
    return made


def usual(**changes: object) -> ExamOptions:
    return ExamOptions(Path("shop"), ("popularity", "random"), k_values=(1, 2), **changes)  # type: ignore[arg-type]


def test_a_row_has_the_columns_of_the_lake_and_what_the_figure_is_of() -> None:
    row = rows(usual())[0]
    assert list(row)[:12] == MODEL_METRICS.names
    assert row.keys() - set(MODEL_METRICS.names) == {
        *("data", "part", "task", "ranking", "masked", "seed", "epochs", "seconds", "peak_mb", "removed", "variety")
    }
    assert (row["recipe"], row["protocol"], row["slice"], row["seed"]) == ("random", "leave_last_out", "all", 0)
    assert (row["masked"], row["part"], row["ranking"]) == ("train", "validation", "full")
    assert (row["seconds"], row["peak_mb"]) == (1.25, 512.0)


def test_every_metric_is_there_and_nothing_twice() -> None:
    made = rows(usual())
    keys = [(r["recipe"], r["slice"], r["metric"], r["k"]) for r in made]
    assert len(keys) == len(set(keys))
    assert {r["metric"] for r in made if r["slice"] == "all"} >= {
        *("precision", "recall", "f1", "hit_rate", "ndcg", "mrr", "map", "coverage", "gini", "novelty", "rmse", "mae")
    }
    assert {r["k"] for r in made if r["metric"] == "ndcg"} == {1, 2}


def test_json_holds_the_rows_and_nothing_that_json_has_not(tmp_path: Path) -> None:
    made = rows(usual())
    results.write_json(made, tmp_path / "deep" / "x.json")
    assert json.loads((tmp_path / "deep" / "x.json").read_text()) == made
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["x.json"]
    assert results._plain(np.float32("nan")) is None
    assert type(results._plain(np.int64(3))) is int


def test_the_table_says_what_was_asked_and_puts_the_best_first() -> None:
    lines = results.table(usual(), QUESTION, rows(usual())).splitlines()
    assert lines[0] == "shop, protocol leave_last_out, validation figures, seed 0"
    assert lines[1] == "ranking: full, 4 items; masked: train"
    assert lines[2].startswith("3 pairs are not asked for")
    assert lines[3].startswith("models that train in epochs stopped early by these very pairs")
    titles = ["ndcg@2", "recall@2", "hit_rate@2", "mrr@2", "coverage@2", "rmse", "mae"]
    assert lines[5].split() == ["model", *titles, "users", "seconds", "peak", "MB"]
    assert [line.split()[0] for line in lines[6:]] == ["popularity", "random"]
    assert "1.0000 [1.0000, 1.0000]" in lines[6]


def test_sampled_negatives_say_that_they_flatter() -> None:
    call = usual(sampled="random", negatives=1)
    assert "sampled negatives flatter" in results.table(call, QUESTION, rows(call))
    assert rows(call)[0]["ranking"] == "1 sampled negatives, random"
    assert "flatter" not in results.table(usual(), QUESTION, rows(usual()))


def test_the_task_ranking_has_its_own_columns() -> None:
    call = usual(task="ranking", final=True)
    lines = results.table(call, QUESTION, rows(call)).splitlines()
    assert "test figures" in lines[0]
    assert lines[4].split()[:6] == ["model", "ndcg", "auc", "mrr", "map", "mean_rank"]
    assert rows(call)[0]["part"] == "test"


def test_plots_stand_beside_the_json(tmp_path: Path) -> None:
    written = results.write_plots(usual(), QUESTION, rows(usual()), tmp_path / "x.json")
    assert [path.name for path in written] == ["x-ndcg.png", "x-recall.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_another_way_of_asking_has_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path))
    assert default_output(usual(final=True), QUESTION) == tmp_path / "exams" / "shop" / "leave_last_out-test.json"
    other = default_output(usual(task="ranking", mask="train", sampled="random", negatives=9), QUESTION)
    assert other.name == "leave_last_out-validation-ranking-train-9_random.json"


def test_looks_at_test_figures_are_counted_by_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path))
    assert test_set_uses.record_use("abc", "shop", "file", ["random"]) == 1
    assert test_set_uses.record_use("xyz", "other", "file", ["random"]) == 1
    assert test_set_uses.record_use("abc", "shop", "leave_last_out", ["random", "ease_text"]) == 2
    last = json.loads((tmp_path / "exams" / "final_uses.jsonl").read_text().splitlines()[-1])
    assert (last["fingerprint"], last["data"], last["models"]) == ("abc", "shop", ["random", "ease_text"])
    assert last["when"].endswith("+00:00")
