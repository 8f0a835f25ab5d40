"""The real command on real and on small data: processes, JSON, plots, MLflow, the count of test looks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.components.test_pretrained_names import LANGUAGE, VISION, put_in_cache
from tests.processes import run_module_elsewhere
from tests.unit.test_exam_data import put
from tests.unit.test_scratch import photo

pytestmark = pytest.mark.slow


def exam(var: Path, data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {"RECSYS_VAR": str(var), "RECSYS_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    return run_module_elsewhere("recsys_jobs.commands.cli", "exam", str(data), *options, environment=environment)


def shop(folder: Path) -> Path:
    """Thirty people of two tastes, ten events each, with times and stars; two texts."""
    lines = [
        f"u{user},i{(user + 2 * turn) % 40},{turn % 5 + 1},{1_400_000_000 + 86_400 * turn + user}"
        for user in range(30)
        for turn in range(10)
    ]
    return put(
        folder,
        item_info__csv="item_id,title\n" + "".join(f"i{item},{'Cup' if item % 2 else 'Plate'}\n" for item in range(40)),
        interactions__csv="\n".join(["user_id,item_id,rating,timestamp", *lines, ""]),
    )


@pytest.mark.shared_data
def test_popularity_on_a_published_split(shared_data: Path, tmp_path: Path) -> None:
    """By the real command, twice: validation figures leave no trace, test figures are counted."""
    out = tmp_path / "baby.json"
    done = exam(tmp_path, shared_data / "benchmarks" / "baby", "--models", "popularity", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "baby, protocol file, validation figures" in done.stdout
    assert not (tmp_path / "exams" / "final_uses.jsonl").exists()
    rows = json.loads(out.read_text())
    recall = {r["k"]: r for r in rows if (r["slice"], r["metric"]) == ("all", "recall")}
    assert recall[20]["users"] == 19_445
    assert 0.04 < recall[20]["value"] < 0.06
    assert {r["masked"] for r in rows} == {"train"}
    assert (tmp_path / "baby-ndcg.png").exists()


def test_a_shop_by_text_and_by_epochs(tmp_path: Path) -> None:
    """Texts through the real encoder, a closed form and a model that stops early, on test, with all its traces."""
    options = ("--models", "ease_text,sage_fm_debug", "--final", "--k", "5")
    done = exam(tmp_path / "var", shop(tmp_path / "shop"), *options)
    assert done.returncode == 0, done.stderr
    assert "test figures of this data were looked at 1 times" in done.stdout
    rows = json.loads((tmp_path / "var" / "exams" / "shop" / "global_time-test.json").read_text())
    assert {(r["recipe"], r["masked"]) for r in rows} == {
        ("ease_text", "train and validation"),
        ("sage_fm_debug", "train and validation"),
    }
    assert all(r["peak_mb"] > 50 and r["seconds"] >= 0 for r in rows)
    logged = list((tmp_path / "var" / "mlflow" / "artifacts").glob("*/artifacts/*"))
    files = ("global_time-test.json", "global_time-test-ndcg.png", "global_time-test-sage_fm_debug-training.png")
    assert set(files) <= {path.name for path in logged}
    options = ("--models", "popularity", "--final", "--protocol", "per_user_random", "--mask", "both")
    again = exam(tmp_path / "var", tmp_path / "shop", *options)
    assert "test figures of this data were looked at 2 times" in again.stdout
    assert [line.split("; ")[1] for line in again.stdout.splitlines() if line.startswith("ranking: ")] == [
        "masked: train and validation",
        "masked: train",
    ]
    rows = json.loads((tmp_path / "var" / "exams" / "shop" / "per_user_random-test-both.json").read_text())
    recall = {r["masked"]: r["value"] for r in rows if (r["slice"], r["metric"], r["k"]) == ("all", "recall", 10)}
    assert recall["train"] < recall["train and validation"]


def movies(folder: Path) -> Path:
    """MovieLens' files: forty people, half of whom give dramas five stars and musicals one, the others the reverse."""
    kinds = ("Drama|Film-Noir", "Musical|Comedy")
    random = np.random.default_rng(0)
    rated = [
        f"{user}::{movie}::{1 if (user + movie) % 2 else 5}::{964_982_703 + 60 * turn + user}"
        for user in range(1, 41)
        for turn, movie in enumerate(random.permutation(30)[:16] + 1)
    ]
    about = [f"{movie}::Film {movie} (1999)::{kinds[movie % 2]}" for movie in range(1, 31)]
    return put(folder, ratings__dat="\n".join([*rated, ""]), movies__dat="\n".join([*about, ""]))


def test_movielens_in_stars_with_one_users_top_ten(tmp_path: Path) -> None:
    """Stars are learned, curves drawn, and the first films shown to somebody are of the kind they like."""
    done = exam(tmp_path / "var", movies(tmp_path / "ml"), "--models", "ncf_rating", "--user", "1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    start = lines.index("  top 10 of user 1:")
    shown = [line.split() for line in lines[start + 1 : start + 11]]
    assert [int(words[0]) for words in shown] == list(range(1, 11))
    assert all(words[1] == "stars" and words[4:] == ["Film", words[3], "(1999)"] for words in shown)
    assert [int(words[3]) % 2 for words in shown[:3]] == [1, 1, 1]
    written = tmp_path / "var" / "exams" / "ml"
    assert (written / "global_time-validation-ncf_rating-training.png").exists()
    rows = json.loads((written / "global_time-validation.json").read_text())
    assert {r["metric"] for r in rows} >= {"rmse", "mae", "ndcg"}
    nobody = exam(tmp_path / "var", tmp_path / "ml", "--models", "ncf_rating", "--user", "99")
    assert (nobody.returncode, "ml has no such user" in nobody.stderr) == (2, True)


def pictured_shop(folder: Path) -> Path:
    """The shop with prices, and photos in the colour of what they show."""
    shop(folder)
    lines = [f"i{item},{'Cup' if item % 2 else 'Plate'},{item % 2 * 90 + item}" for item in range(40)]
    put(folder, item_info__csv="\n".join(["item_id,title,price", *lines, ""]))
    (folder / "images").mkdir()
    for item in range(40):
        (folder / "images" / f"i{item}.jpg").write_bytes(
            photo((200, 60, 5 * item) if item % 2 else (40, 90, 200), item)
        )
    return folder


def test_a_pair_of_backbones_by_name_with_photos_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 1's layout and names, through the hub's cache as a download would leave it; a curve of what is left."""
    put_in_cache(tmp_path / "hub", "resnet", VISION["resnet"])
    put_in_cache(tmp_path / "hub", "sentence-bert", LANGUAGE["sentence-bert"])
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    options = ("--models", "attention_towers", "--encoders", "resnet_sentence-bert", "--remove", "image")
    done = exam(tmp_path / "var", pictured_shop(tmp_path / "shop"), *options)
    assert done.returncode == 0, done.stderr
    assert "40 items with text, 40 with an image" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("attention_towers, image")]
    assert line.count("[") == 4
    out = tmp_path / "var" / "exams" / "shop" / "global_time-validation-removed-image-resnet_sentence-bert.json"
    rows = json.loads(out.read_text())
    assert {r["removed"] for r in rows} == {"", "image 30%", "image 60%", "image 90%"}
    assert out.with_name(f"{out.stem}-removed.png").exists()


def test_a_wrong_call_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = exam(tmp_path, shop(tmp_path / "shop"), "--protocol", "file")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: protocol file needs a split in the data")
    assert "Traceback" not in done.stderr
