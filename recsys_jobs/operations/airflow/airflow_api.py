"""Airflow's REST API, as far as a backfill needs it."""

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
        """The JSON at `/api/v2/<path>`; JobError where Airflow does not answer as it should, after several tries."""
        return self._request_with_retries("GET", path, params=query)

    def put(self, path: str) -> dict[str, Any]:
        """The JSON that answers a request to change something; the request must be safe to repeat."""
        return self._request_with_retries("PUT", path)

    def pause(self, paused: bool) -> None:
        """Pause or unpause the nightly DAG."""
        try:
            self._request("PATCH", f"dags/{DAG}", json={"is_paused": paused})
        except httpx.HTTPError as error:
            raise JobError(f"Airflow at {self.url} does not unpause {DAG}: {error}") from None

    def _request_with_retries(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        for wait in (*_WAITS, None):
            try:
                return self._request(method, path, **arguments)
            except httpx.HTTPError as error:
                if wait is None or _is_client_error(error):
                    raise JobError(f"Airflow at {self.url} did not answer: {error}") from None
                time.sleep(wait)
        raise AssertionError("the last wait is None")

    def _request(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        answer = self._client.request(method, f"{self.url}/api/v2/{path}", **arguments)
        if answer.status_code == httpx.codes.UNAUTHORIZED:  # a token lasts a day, a backfill may take longer
            self._sign_in()
            answer = self._client.request(method, f"{self.url}/api/v2/{path}", **arguments)
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


def _is_client_error(error: httpx.HTTPError) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.is_client_error


def parse_time(text: str) -> datetime:
    """Return a time that Airflow wrote."""
    return datetime.fromisoformat(text)
