"""A configuration is a name or a TOML file, and a mistake in it is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import default, lake_address, lake_root, load_settings, parse_date, table_uri


def test_a_file_overrides_the_default(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('user_core = 2\ngate_margin = 0\nimage_allowed_hosts = ["mirror:8000"]\n', encoding="utf-8")
    settings = load_settings(str(path))
    assert (settings.user_core, settings.gate_margin, settings.image_allowed_hosts) == (2, 0.0, ("mirror:8000",))
    assert settings.item_core == default().item_core


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("users_core = 2", "unknown setting 'users_core'"),
        ('user_core = "2"', "user_core must be int, not '2'"),
        ("user_core = true", "user_core must be int, not True"),
        ("user_core = ", "not a TOML file"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="mine.toml") as caught:
        load_settings(str(path))
    assert says in str(caught.value)


def test_an_unknown_name_is_told_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_CONFIG", "prod")
    with pytest.raises(UsageError, match="no configuration 'prod': name one of default, demo"):
        load_settings()


def test_a_date_is_a_date() -> None:
    assert parse_date("2014-03-01").isoformat() == "2014-03-01"
    with pytest.raises(UsageError, match="write YYYY-MM-DD"):
        parse_date("1.3.2014")


def test_a_lake_on_s3_has_its_tables_there_and_all_else_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path))
    monkeypatch.setenv("RECSYS_LAKE", "s3://bucket/team/main/")
    assert lake_root() == tmp_path / "lakes" / "bucket" / "team" / "main"
    assert table_uri("reviews", lake_root()) == "s3://bucket/team/main/reviews"
    assert table_uri("reviews", tmp_path / "other") == str(tmp_path / "other" / "reviews")


def test_a_lake_in_a_folder_has_everything_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path))
    assert lake_address() is None
    assert lake_root() == tmp_path
    assert table_uri("reviews", lake_root()) == str(tmp_path / "reviews")


@pytest.mark.parametrize(
    "where", ["s3://bucket", "s3:///main", "s3://b/../x", "s3a://b/x", "s3://k:s@b/x", "s3://b/x?y"]
)
def test_an_address_that_is_no_lake_is_told(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_LAKE", where)
    with pytest.raises(UsageError, match="write a folder, or s3://bucket/prefix"):
        lake_root()
