"""Renders the templates: everything that comes from a dump or a request is escaped, nothing is marked safe."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from plugins.pages import links
from recsys_jobs.pages import text

_FOLDER = Path(__file__).parent / "templates"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def render(request: Request, template: str, *, status: int = 200, title: str, **values: Any) -> Response:
    """The page of a template; `title` names it in the browser."""
    root = request.scope.get("root_path", "").rstrip("/")
    page = _ENVIRONMENT.get_template(template).render(
        root=root,
        link=partial(links.page, root),
        run_link=partial(links.airflow_run, root),
        airflow=root.rsplit("/", 1)[0] + "/",
        title=title,
        **values,
    )
    return HTMLResponse(page, status_code=status)


def _age(age: timedelta) -> str:
    """An age in its largest unit that is not less than two."""
    hours = age.total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{max(hours, 0):.0f} hours"


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else ""


def _day(moment: datetime | date | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


_ENVIRONMENT.filters |= {
    "age": _age,
    "number": _number,
    "percent": _percent,
    "duration": _duration,
    "moment": _moment,
    "day": _day,
    "reference": text.reference,
    "identifier": partial(text.clip, most=text.ID),
    "clip": text.clip,
    "thousands": lambda value: f"{value:,}",
}
_ENVIRONMENT.globals |= {
    "mlflow_run": links.mlflow_run,
    "data_docs": links.data_docs,
    "min": min,
    "max": max,
    "abs": abs,
}
