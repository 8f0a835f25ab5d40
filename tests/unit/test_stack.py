"""Secrets are strong, private and kept; a health check tells a sick service from a well one."""

from __future__ import annotations

import http.server
import json
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.operations.stack import airflow_init, env_file, healthy

HEALTH = {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "unhealthy"}, "triggerer": {"status": None}}


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(500 if self.path == "/broken" else 200)
        self.end_headers()
        self.wfile.write(json.dumps(HEALTH).encode() if self.path == "/health" else b"OK")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{service.server_port}"
    service.shutdown()


def test_the_first_call_makes_every_secret_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert env_file.ensure(path) == list(env_file.SECRETS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    values = env_file.read(path)
    assert set(values) == set(env_file.SECRETS)
    assert len(set(values.values())) == len(values)
    assert all(len(value) >= (20 if name.endswith("ACCESS_KEY") else 43) for name, value in values.items())


def test_two_machines_have_nothing_in_common(tmp_path: Path) -> None:
    for name in ("one", "two"):
        env_file.ensure(tmp_path / name)
    one, two = (set(env_file.read(tmp_path / name).values()) for name in ("one", "two"))
    assert not one & two


def test_the_airflow_key_is_one_that_fernet_takes(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    env_file.ensure(tmp_path / ".env")
    key = Fernet(env_file.read(tmp_path / ".env")["AIRFLOW_FERNET_KEY"])
    assert key.decrypt(key.encrypt(b"a connection")) == b"a connection"


def test_a_later_call_keeps_what_is_there_and_closes_an_open_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# mine\nSPARK_WORKER_CORES=4\nPOSTGRES_PASSWORD=a-long-one-of-my-own\n", encoding="utf-8")
    path.chmod(0o644)
    added = env_file.ensure(path)
    assert "POSTGRES_PASSWORD" not in added
    assert len(added) == len(env_file.SECRETS) - 1
    before = path.read_text(encoding="utf-8")
    assert before.startswith("# mine\nSPARK_WORKER_CORES=4\nPOSTGRES_PASSWORD=a-long-one-of-my-own\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert env_file.ensure(path) == []
    assert path.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("text", "says"),
    [("POSTGRES_PASSWORD=\n", "POSTGRES_PASSWORD has no value"), ("oops\n", "line 1: write NAME=value")],
)
def test_an_empty_secret_or_a_strange_line_is_told(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=says):
        env_file.ensure(tmp_path / ".env")


def test_the_secrets_are_ignored_by_git(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    asked = subprocess.run(["git", "check-ignore", "--quiet", ".env"], cwd=root, check=False)
    assert asked.returncode == 0


def test_a_service_that_answers_is_healthy(server: str) -> None:
    healthy.check(f"http://{server}/")
    healthy.check(f"tcp://{server}")
    healthy.check(f"http://{server}/health", "metadatabase")


@pytest.mark.parametrize(
    ("path", "component", "says"),
    [
        ("/broken", None, "500"),
        ("/health", "scheduler", "scheduler is not healthy"),
        ("/health", "triggerer", "triggerer is not healthy"),
        ("/health", "dag_processor", "not listed"),
        ("/", "scheduler", "is not healthy: Expecting value"),
    ],
)
def test_a_sick_service_is_told(server: str, path: str, component: str | None, says: str) -> None:
    with pytest.raises(JobError, match=says):
        healthy.check(f"http://{server}{path}", component)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "tcp://127.0.0.1:9"])
def test_nobody_there_is_told(address: str) -> None:
    with pytest.raises(JobError, match="refused"):
        healthy.check(address)


def test_airflows_login_is_private_and_no_short_password_passes(tmp_path: Path) -> None:
    path = tmp_path / "airflow" / "passwords.json"
    airflow_init.write_login(path, "a" * 43)
    assert json.loads(path.read_text(encoding="utf-8")) == {"admin": "a" * 43}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="too short"):
        airflow_init.write_login(path, "admin")
