"""Who may see the pages: people that Airflow has logged in and lets read the nightly DAG, on its own pages.

Airflow does not authenticate the routes of plugins. This stands before all of them at once, the ones that do not exist
included, so that none can be forgotten.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import bearer_scheme, get_user, requires_access_dag
from airflow.configuration import conf
from fastapi import HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool

from plugins.no_running_nights import NIGHTS

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_METHODS = ("GET", "HEAD")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'self'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}

Refuse = Callable[[Request, "Refusal"], Response]


class Refusal(NamedTuple):
    """Why a request is not answered, and where to go instead."""

    status: int
    reason: str
    link: str = ""
    link_text: str = ""


async def refusal(request: Request) -> Refusal | None:
    """Why this request gets no page; None for one of someone who may look."""
    if _host(request) not in _allowed_hosts():
        return Refusal(421, "These pages do not answer under this name of the machine (RECSYS_PAGES_HOSTS adds one).")
    if is_cross_site(request):
        here = str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
        return Refusal(403, "Another site led here, and only a click of yours may open a page.", here, "Open the page")
    if denied := await _denied(request):
        return denied
    if request.method not in _METHODS:
        return Refusal(405, "These pages are for looking: they take no changes.")
    return None


def _host(request: Request) -> str:
    """The name that the request is for, without the port; empty for one that is none."""
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _allowed_hosts() -> set[str]:
    """This machine's own names, that of Airflow's base_url, and those of RECSYS_PAGES_HOSTS, a comma between them."""
    base = urlsplit(conf.get("api", "base_url", fallback="")).hostname
    named = os.environ.get("RECSYS_PAGES_HOSTS", "").split(",")
    return _LOOPBACK | {name.strip().lower() for name in (base or "", *named) if name.strip()}


def is_cross_site(request: Request) -> bool:
    """Whether another site made the browser ask, by a link, a form, a picture or a script."""
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()


async def _denied(request: Request) -> Refusal | None:
    try:
        user = await get_user(request, None, await bearer_scheme(request))
        await run_in_threadpool(requires_access_dag("GET", param_dag_id=NIGHTS), request, user)
    except (HTTPException, KeyError) as error:  # the simple auth manager raises KeyError for a role it does not know
        login = get_auth_manager().get_url_login(next_url=str(request.url))
        if isinstance(error, HTTPException) and error.status_code == 401:
            return Refusal(401, "Only people who are logged in to Airflow may look.", login, "Log in")
        return Refusal(403, f"Airflow does not let you read the DAG {NIGHTS}.", login, "Log in as someone else")
    return None


async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]], refuse: Refuse) -> Response:
    """Answer, or refuse; either way with the headers that keep a page to itself."""
    refused = await refusal(request)
    response = refuse(request, refused) if refused else await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
