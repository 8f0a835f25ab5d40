"""The pages' application: the routes behind the gate, and friendly words for everything that goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import cache
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from plugins.pages import gate
from plugins.pages.gate import Refusal
from plugins.pages.rendering import render
from plugins.pages.routes import compare, files, items, nights, people
from recsys_jobs.contracts.errors import JobError, UsageError

log = logging.getLogger(__name__)


@cache
def application() -> FastAPI:
    """The pages: no documentation of routes, no route without the gate."""
    app = FastAPI(title="Recommendations", docs_url=None, redoc_url=None, openapi_url=None)
    for room in (nights, people, items, compare, files):
        app.include_router(room.router)

    @app.middleware("http")
    async def behind_the_gate(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        return await gate.guard(request, call_next, _refuse)

    app.add_exception_handler(UsageError, _not_there)
    app.add_exception_handler(JobError, _not_there)
    app.add_exception_handler(RequestValidationError, _not_there)
    app.add_exception_handler(HTTPException, _not_there)
    app.add_exception_handler(Exception, _broken)
    return app


def _refuse(request: Request, refusal: Refusal) -> Response:
    title = HTTPStatus(refusal.status).phrase
    return render(request, "refused.html", status=refusal.status, title=title, refusal=refusal)


def _not_there(request: Request, error: Exception) -> Response:
    """What was asked for is not there: one sentence that says what to do."""
    words = str(error) if isinstance(error, UsageError | JobError) else "There is no page of this address."
    return render(request, "error.html", status=404, title="Not found", words=words)


def _broken(request: Request, error: Exception) -> Response:
    """A defect of ours, or a file that a maintenance removed meanwhile: the log has it, the page does not."""
    log.error("%s failed", request.url.path, exc_info=error)
    words = "This page could not be made; the API server's log says why. Try again once maintenance is over."
    response = render(request, "error.html", status=500, title="Something broke", words=words)
    for name, value in gate.HEADERS.items():  # what failed is answered outside the gate
        response.headers.setdefault(name, value)
    return response
