"""Whether a service answers: the health check of every container that runs the job image. Standard library only.

`http://…` must answer with a status below 400. With a component's name it must answer with Airflow's JSON of
health, in which that component is healthy: so a check costs no Airflow import. `tcp://host:port` must accept.
"""

from __future__ import annotations

import argparse
import json
import socket
import urllib.request
from urllib.parse import urlsplit

from recsys_jobs.contracts.errors import JobError, UsageError, run_main

_TIMEOUT = 10  # seconds


def check(address: str, component: str | None = None) -> None:
    """Return where the service at `address` is healthy; JobError where it is not."""
    parts = urlsplit(address)
    try:
        if parts.scheme == "tcp":
            socket.create_connection((parts.hostname or "", parts.port or 0), _TIMEOUT).close()
        elif parts.scheme == "http":
            _require_healthy(address, component)
        else:
            raise UsageError(f"{address}: write http://host:port/path or tcp://host:port")
    except (OSError, ValueError) as error:
        raise JobError(f"{address} is not healthy: {error}") from None


def _require_healthy(address: str, component: str | None) -> None:
    with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer:
        body = answer.read()
    if component is None:
        return
    health = json.loads(body).get(component) or {}
    if health.get("status") != "healthy":
        raise JobError(f"{component} is not healthy: {health or 'not listed'}")


def main() -> None:
    """Exit with 0 where the service is healthy, 1 where it is not."""
    parser = argparse.ArgumentParser(prog="python -m recsys_jobs.operations.stack.healthy", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("component", nargs="?", help="of Airflow: metadatabase, scheduler, triggerer, dag_processor")
    arguments = parser.parse_args()
    check(arguments.address, arguments.component)


if __name__ == "__main__":
    run_main(main)
