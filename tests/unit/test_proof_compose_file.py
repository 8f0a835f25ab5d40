"""The trial reads the compose file as the engine would: variables filled in, a missing secret told."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofs import compose_file
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.operations.stack.env_file import SECRETS
from tests.conftest import ROOT

TEXT = """
services:
  store:
    image: store:1
    entrypoint: [serve]
    command: ["--cores=${CORES:-2}", --key, "${KEY:?run make up}"]
    environment: {SIZE: 3, ADDRESS: "http://${KEY:?run make up}@x"}
    healthcheck: {test: [CMD, ask, me]}
    configs: [{source: keys, target: /etc/store/keys.json}]
configs:
  keys: {content: "{${KEY:?run make up}}"}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "compose.yml").write_text(TEXT, encoding="utf-8")
    return tmp_path / "compose.yml"


def test_a_service_is_its_command_environment_health_and_files(path: Path) -> None:
    service = compose_file.load(path, {"KEY": "k"})["store"]
    assert service.command == ["serve", "--cores=2", "--key", "k"]
    assert service.environment == {"SIZE": "3", "ADDRESS": "http://k@x"}
    assert service.health == ["ask", "me"]
    assert service.files == {"/etc/store/keys.json": "{k}"}


def test_a_missing_secret_is_told_in_the_files_own_words(path: Path) -> None:
    with pytest.raises(UsageError, match="KEY is not set: run make up"):
        compose_file.load(path, {"CORES": "4"})


@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_the_stacks_own_file_refuses_to_start_without_any_one_of_its_secrets(missing: str) -> None:
    values = dict.fromkeys(SECRETS, "value")
    assert "postgres" in compose_file.load(ROOT / "docker-compose.yml", values)
    for without in (values | {missing: ""}, {name: value for name, value in values.items() if name != missing}):
        with pytest.raises(UsageError, match=f"{missing} is not set: run make up"):
            compose_file.load(ROOT / "docker-compose.yml", without)
