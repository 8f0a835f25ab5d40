"""Renders the night's report as one HTML file with its plots inside: the exam's tables, and further sections."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from markupsafe import Markup
from matplotlib.figure import Figure

from recsys_jobs.evaluation.slices import NOTES
from recsys_jobs.registry import plots

_SHOWN = ("ndcg", "recall", "hit_rate", "mrr", "coverage")


@dataclass(frozen=True)
class Section:
    """A heading, a sentence that explains it, a table of cells, and a plot that is closed once drawn."""

    heading: str
    note: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    picture: Figure | None = None


def _format_cell(cell: Any) -> Any:
    """A cell as people read it: thousands apart, nothing for None."""
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) else cell


# autoescape: names come from dumps and from the people who type a recipe
_ENVIRONMENT = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
_ENVIRONMENT.filters["figure"] = _format_cell
_ENVIRONMENT.globals["words"] = lambda cell: Markup(' class="words"') if isinstance(cell, str) else ""
_PAGE = _ENVIRONMENT.from_string("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ title }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }
th:first-child, td:first-child, .words { text-align: left }
.words { white-space: normal; overflow-wrap: anywhere }
.verdict { padding: .8rem 1rem; border-left: 5px solid {{ colour }}; background: #f6f6f6 }
.alert { border-left-color: #c8553d }
img { max-width: 100% }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p class="verdict"><strong>{{ decision.decision }}</strong>: {{ decision.reason }}.</p>
{% for alert in alerts %}
<p class="verdict alert"><strong>drift</strong>: {{ alert }}.</p>
{% endfor %}
<table>
{% for name, value in facts.items() %}
<tr><td>{{ name }}</td><td class="words">{{ value }}</td></tr>
{% endfor %}
</table>
{% for section in sections %}
<h2>{{ section.heading }}</h2>
{% if section.note %}
<p>{{ section.note }}</p>
{% endif %}
{% if section.image %}
<img alt="{{ section.heading }}" src="data:image/png;base64,{{ section.image }}">
{% endif %}
{% if section.rows %}
<table>
<tr>{% for name in section.columns %}<th{{ words(section.rows[0][loop.index0]) }}>{{ name }}</th>{% endfor %}</tr>
{% for row in section.rows %}
<tr>{% for cell in row %}<td{{ words(cell) }}>{{ cell | figure }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% endif %}
{% endfor %}
{% for slice, table in slices.items() %}
<h2>The exam: {{ slice }}</h2>
{% if table.note %}
<p>{{ table.note }}</p>
{% endif %}
<table>
<tr><th>model</th>{% for name in table.columns %}<th>{{ name }}</th>{% endfor %}<th>users</th></tr>
{% for row in table.rows %}
<tr><td>{{ row.model }}</td>{% for cell in row.cells %}<td>{{ cell }}</td>{% endfor %}<td>{{ row.users }}</td></tr>
{% endfor %}
</table>
{% endfor %}
{% for name, data in pictures.items() %}
<h2>{{ name }}</h2>
<img alt="{{ name }}" src="data:image/png;base64,{{ data }}">
{% endfor %}
</body>
</html>
""")

_COLOURS = {"passed": "#2a7f62", "failed": "#c8553d", "undecided": "#e0a458"}


def render(
    title: str,
    decision: Any,
    facts: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    k: int,
    pictures: Mapping[str, bytes],
    sections: Sequence[Section] = (),
    alerts: Sequence[str] = (),
) -> str:
    """The report as HTML. `rows` are rows of `model_metrics`; those at `k` are shown, by slice, then the sections.

    `pictures` are PNGs by their headings, as `metric_pictures` draws them.
    """
    rows_at_k = [row for row in rows if row["k"] == k]
    slices: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(row["slice"] for row in rows_at_k):
        table = _table([row for row in rows_at_k if row["slice"] == name])
        slices[name] = table | {"note": NOTES.get(name, "")}
    return _PAGE.render(
        title=title,
        decision=decision,
        facts=facts,
        slices=slices,
        pictures={heading: _base64(picture) for heading, picture in pictures.items()},
        colour=_COLOURS.get(decision.decision, "#888"),
        sections=[_template_section(section) for section in sections],
        alerts=alerts,
    )


def _template_section(section: Section) -> dict[str, Any]:
    """The section's fields as the template reads them, its plot as base64 of a PNG."""
    image = None if section.picture is None else _base64(plots.png(section.picture))
    fields = {name: getattr(section, name) for name in ("heading", "note", "columns", "rows")}
    return fields | {"image": image}


def _table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    columns = [name for name in _SHOWN if any(row["metric"] == name for row in rows)]
    models = list(dict.fromkeys(row["recipe"] for row in rows))
    cells = {(row["recipe"], row["metric"]): row for row in rows}
    table_rows = []
    for model in models:
        texts = [_cell(cells.get((model, name))) for name in columns]
        users = max(row["users"] for row in rows if row["recipe"] == model)
        table_rows.append({"model": model, "cells": texts, "users": users})
    return {"columns": columns, "rows": table_rows}


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    interval = "" if row["low"] is None else f" [{row['low']:.4f}, {row['high']:.4f}]"
    return f"{row['value']:.4f}{interval}"


def metric_pictures(rows: Sequence[Mapping[str, Any]], k: int) -> dict[str, bytes]:
    """The main metrics at `k` of slice `all` as bars: PNGs by names such as ndcg@20."""
    pictures = {}
    with_interval = [row for row in rows if row["slice"] == "all" and row["k"] == k and row["low"] is not None]
    for metric in ("ndcg", "recall"):
        bars = [dict(row, model=row["recipe"]) for row in with_interval if row["metric"] == metric]
        if bars:
            title = f"{metric}@{k}"
            pictures[title] = plots.png(plots.metric_bars(bars, title))
    return pictures


def _base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()
