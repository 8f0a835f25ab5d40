"""Alerts when a task fails or a night drifts: one line where people look, with the way to the log."""

from __future__ import annotations

import json
import logging
import os
import urllib.request
from http.client import HTTPException
from typing import Any

log = logging.getLogger(__name__)
_TIMEOUT = 10  # seconds


def alert_failure(context: dict[str, Any]) -> None:
    """Send one line that says which task failed, and why."""
    task = context["task_instance"]
    send_alert(f"{task.dag_id} {context['run_id']}: {task.task_id} failed: {context.get('exception')}")


def send_alert(text: str) -> None:
    """Log one line, and post it to `RECSYS_ALERT_URL` where that is set.

    The address takes a JSON object with `text`, which is what Slack, Mattermost and Teams hooks take.
    A hook that is down must not hide the alert itself: its own error is logged.
    """
    log.error("%s", text)
    url = os.environ.get("RECSYS_ALERT_URL", "")
    if url.startswith(("http://", "https://")):
        _post(url, {"text": text})


def _post(url: str, body: dict[str, str]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT):
            pass
    except (OSError, ValueError, HTTPException) as error:  # its words may repeat the address, which is a secret
        log.warning("the alert could not be posted: %s", type(error).__name__)
