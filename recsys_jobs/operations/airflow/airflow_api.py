"""Airflow's REST API, as far as a backfill asks it."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from recsys_jobs.contracts.errors import JobError

DAG = "nightly"
PAGE = 100  # the largest there is
_WAITS = (2, 5, 15)  # seconds between tries


class Airflow:
    """A running Airflow: where it answers, and its REST API, signed in as admin."""

    def __init__(self, url: str, client: httpx.Client, passwords: Path) -> None:
        self.url = url
        self._client = client
        self._passwords = passwords
        self._sign_in()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The JSON at `/api/v2/<path>`; JobError where Airflow does not answer as it should, asked several times."""
        return self._patiently("GET", path, params=query)

    def put(self, path: str) -> dict[str, Any]:
        """The JSON that a request to change something answers, which must be one that may come twice."""
        return self._patiently("PUT", path)

    def pause(self, paused: bool) -> None:
        """Pause or unpause the nightly DAG."""
        try:
            self._asked("PATCH", f"dags/{DAG}", json={"is_paused": paused})
        except httpx.HTTPError as error:
            raise JobError(f"Airflow at {self.url} does not unpause {DAG}: {error}") from None

    def _patiently(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        for wait in (*_WAITS, None):
            try:
                return self._asked(method, path, **how)
            except httpx.HTTPError as error:
                if wait is None or _is_refusal(error):
                    raise JobError(f"Airflow at {self.url} did not answer: {error}") from None
                time.sleep(wait)
        raise AssertionError("the last wait is None")

    def _asked(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        answer = self._client.request(method, f"{self.url}/api/v2/{path}", **how)
        if answer.status_code == httpx.codes.UNAUTHORIZED:  # a token lasts a day, a backfill may take longer
            self._sign_in()
            answer = self._client.request(method, f"{self.url}/api/v2/{path}", **how)
        answer.raise_for_status()
        return dict(answer.json())

    def _sign_in(self) -> None:
        password = json.loads(self._passwords.read_text(encoding="utf-8"))["admin"]
        try:
            answer = self._client.post(f"{self.url}/auth/token", json={"username": "admin", "password": password})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise JobError(f"Airflow at {self.url} does not let admin in: {error}") from None
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _is_refusal(error: httpx.HTTPError) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.is_client_error


def moment(text: str) -> datetime:
    """A time as Airflow writes it."""
    return datetime.fromisoformat(text)
