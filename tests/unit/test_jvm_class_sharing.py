"""The archive of classes: found by Java and Spark, used where it is, done without where it is not."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from spark import jvm_class_sharing


def _java(folder: Path, script: str = "") -> Path:
    java = folder / "java"
    folder.mkdir()
    java.write_text(f"#!/bin/sh\n{script}")
    java.chmod(0o755)
    return java


def test_no_archive_no_option(tmp_path: Path) -> None:
    assert jvm_class_sharing.java_option(_java(tmp_path / "one"), tmp_path) == ""


def test_an_archive_is_used_by_the_java_that_made_it_and_by_no_other(tmp_path: Path) -> None:
    one, other = _java(tmp_path / "one"), _java(tmp_path / "other")
    archive = jvm_class_sharing.archive_for(one, tmp_path)
    archive.touch()
    assert f"-XX:SharedArchiveFile={archive}" in jvm_class_sharing.java_option(one, tmp_path)
    assert jvm_class_sharing.java_option(other, tmp_path) == ""


def test_a_java_that_was_replaced_needs_a_new_archive(tmp_path: Path) -> None:
    java = _java(tmp_path / "one")
    before = jvm_class_sharing.archive_for(java, tmp_path)
    os.utime(java, (1, 1))
    assert jvm_class_sharing.archive_for(java, tmp_path) != before


def test_a_rehearsal_that_fails_leaves_nothing_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(jvm_class_sharing, "_SAMPLE_JOB", "raise SystemExit('this JVM has no archive')")
    java = _java(tmp_path / "one")
    with caplog.at_level(logging.WARNING):
        jvm_class_sharing.build(java, tmp_path)
    assert "this JVM has no archive" in caplog.text
    assert list(tmp_path.glob("*.jsa")) == list(tmp_path.glob("*.part")) == []


@pytest.mark.parametrize(
    ("has_base", "asked"), [(True, "-Xshare:on -version\n"), (False, "-Xshare:on -version\n-Xshare:dump\n")]
)
def test_a_java_without_an_archive_of_its_own_classes_is_given_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_base: bool, asked: str
) -> None:
    monkeypatch.setattr(jvm_class_sharing, "_SAMPLE_JOB", "")
    script = f'echo "$@" >> {tmp_path}/asked\n[ "$1" != -Xshare:on ] || exit {0 if has_base else 1}\n'
    jvm_class_sharing.build(_java(tmp_path / "one", script), tmp_path)
    assert (tmp_path / "asked").read_text() == asked
