"""The trial tells a secret in a log or on a command line, and a port that others can reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofs.exposure import CommandLines, beyond_loopback, check_logs
from recsys_jobs.contracts.errors import JobError

SECRETS = {"STORE_PASSWORD": "correct-horse", "STORE_KEY": "battery-staple"}


def log(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_logs_that_show_nothing_are_counted(tmp_path: Path) -> None:
    log(tmp_path / "store.log", "started\n")
    log(tmp_path / "var" / "airflow" / "logs" / "attempt=1", "asked with a key\n")
    log(tmp_path / ".env", "STORE_PASSWORD=correct-horse\n")  # where the secret belongs
    assert check_logs(tmp_path, SECRETS) == "none of 2 values in 2 files of 0.0 MB"


@pytest.mark.parametrize("name", ["store.log", "var/airflow/logs/dag/attempt=1", "spark-work/app-1/0/stderr"])
def test_a_secret_in_a_log_is_told_by_its_name_and_file_and_not_by_its_value(tmp_path: Path, name: str) -> None:
    log(tmp_path / name, "connect postgres://me:correct-horse@store\n")
    with pytest.raises(JobError, match=f"STORE_PASSWORD in .*{name}") as told:
        check_logs(tmp_path, SECRETS)
    assert "correct-horse" not in str(told.value)


def test_a_secret_on_a_command_line_is_told_after_the_process_is_gone(tmp_path: Path) -> None:
    log(tmp_path / "12" / "cmdline", "psql\0--host=store\0")
    log(tmp_path / "13" / "cmdline", "serve\0--key=battery-staple\0")
    watched = CommandLines(SECRETS, tmp_path)
    watched.look()
    (tmp_path / "13" / "cmdline").unlink()
    watched.look()
    with pytest.raises(JobError, match="STORE_KEY on that of serve"):
        watched.verdict()


def test_the_watch_looks_while_it_is_open(tmp_path: Path) -> None:
    log(tmp_path / "12" / "cmdline", "psql\0--host=store\0")
    with CommandLines(SECRETS, tmp_path) as watched:
        pass
    assert watched.verdict().startswith("none of 2 values, ")


def test_a_port_on_the_loopback_is_not_open_to_others() -> None:
    said = """LISTEN 0 128  127.0.0.1:9333      0.0.0.0:*
LISTEN 0 128      0.0.0.0:5432      0.0.0.0:*
LISTEN 0 50             *:8080            *:*
LISTEN 0 50         [::1]:5433         [::]:*
LISTEN 0 50 [::ffff:10.213.77.13]:7077        *:*
LISTEN 0 50 [::ffff:127.0.0.1]:41000          *:*
"""
    assert beyond_loopback(said) == {5432, 8080, 7077}
