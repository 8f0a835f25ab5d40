"""What pages are made of besides: pictures by the hash of their content, the style sheet, the reports of nights."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path

from fastapi import APIRouter, Response

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import lake_root
from recsys_jobs.images.store import path_of
from recsys_jobs.pages.nights import report_path

router = APIRouter()
_STYLE = Path(__file__).parents[1] / "page.css"
_HASH = re.compile(r"[0-9a-f]{64}")
_JPEG = b"\xff\xd8\xff"
# a report brings its style and its plots along; the sandbox keeps it from everything else
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"


@router.get("/pictures/{name}")
def picture(name: str) -> Response:
    """A picture of the image store; UsageError for what is no hash, is not there, or is no JPEG."""
    content_hash = name.removesuffix(".jpg")
    content = _read(path_of(lake_root(), content_hash)) if _HASH.fullmatch(content_hash) else b""
    if not content.startswith(_JPEG):
        raise UsageError("The image store has no picture of this hash.")
    headers = {"Cache-Control": "private, max-age=3600", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return Response(content, media_type="image/jpeg", headers=headers)


def _read(path: Path) -> bytes:
    """The file's bytes; none where there is no such file of its own: a link is not followed."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return file.read()
    except OSError:
        return b""


@router.get("/page.css")
def style() -> Response:
    """The style sheet."""
    headers = {"Cache-Control": "private, max-age=3600"}
    return Response(_STYLE.read_bytes(), media_type="text/css", headers=headers)


@router.get("/reports/{day}")
def report(day: str) -> Response:
    """The report of a night, as it was written; UsageError where there is none."""
    try:
        content = _read(report_path(date.fromisoformat(day)))
    except ValueError:
        content = b""
    if not content:
        raise UsageError("There is no report of this night: python -m recsys_jobs.night.report --run-date D writes it.")
    headers = {"Content-Security-Policy": _REPORT_POLICY}
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)
