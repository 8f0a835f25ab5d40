"""Java is found or brought along, and a missing JAR says what to run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import JobError
from spark import toolchain


def _java(folder: Path, version: str) -> Path:
    """An executable that says it is Java of this version."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(0o755)
    return java


def test_java_home_of_a_good_version_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, other = _java(tmp_path / "home", "21.0.2"), _java(tmp_path / "other", "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{other.parent}{os.pathsep}{os.environ['PATH']}")
    assert toolchain.ensure_java() == home
    assert os.environ["JAVA_HOME"] == str(tmp_path / "home")


def test_java_home_that_spark_cannot_use_gives_way_to_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _java(tmp_path / "home", "1.8.0_402")
    other = _java(tmp_path / "other", "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{other.parent}{os.pathsep}{os.environ['PATH']}")
    assert toolchain.ensure_java() == other
    assert "JAVA_HOME" not in os.environ


def test_machine_without_java_gets_one_that_bears_the_unknown_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in ("sh",):
        (tmp_path / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    java = toolchain.ensure_java()
    assert java == tmp_path / "venv" / "java" / "bin" / "java"
    assert os.environ["JAVA_HOME"] == str(tmp_path / "venv" / "java")
    flags = ["--add-modules=jdk.incubator.vector", "-Dwith=a space", "-XshowSettings:properties", "-version"]
    said = subprocess.run([str(java), *flags], capture_output=True, text=True, check=True).stderr
    assert "with = a space" in said
    assert toolchain.java_major(java) == 21


def test_missing_jar_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_JARS", str(tmp_path))
    (tmp_path / "delta-storage-4.4.0.jar").touch()
    with pytest.raises(JobError, match=r"\(delta-spark_4.1_2.13-4.4.0.jar\): run `make setup`"):
        toolchain.delta_jars()


def test_jars_that_are_there_are_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_JARS", str(tmp_path))
    for name in toolchain.DELTA_JARS:
        (tmp_path / name).touch()
    monkeypatch.setattr(toolchain, "_resolve", None)  # would fail if it were called
    toolchain.fetch_jars()
    assert len(toolchain.delta_jars()) == 2
