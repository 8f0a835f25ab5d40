"""The data docs' pages, made safe and self-contained.

Great Expectations writes the values it found into its pages as they stand, so that a title with a script in it
would run; and its pages are bare without half a dozen servers of style sheets and scripts. Here values become
text, and nothing is fetched or run: one page is one file that also reads on a machine without a network.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from types import CodeType
from typing import Any

from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
from great_expectations.render import RenderedDocumentContent
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView
from jinja2.bccache import Bucket, BytecodeCache

LISTED = 200  # results on the index page, newest first; older pages stay on disk

_HEAD = """<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222 }
  table { border-collapse: collapse; margin: .4rem 0 }
  td, th { border: 1px solid #ddd; padding: .3rem .6rem; text-align: left; vertical-align: top }
  td td, td th { font-size: 13px; overflow-wrap: anywhere }
  h5 { font-size: 1.15rem; margin: 1.6rem 0 .4rem } h6, .h6 { font-weight: 600; font-size: 1rem; margin: .6rem 0 }
  .text-success::before, .passed::before { content: "✔"; color: #17803d }
  .text-danger::before, .failed::before { content: "✘"; color: #c01c28 }
  .breadcrumb, .nav { list-style: none; padding: 0 } .breadcrumb li, .nav li { display: inline; margin-right: 1rem }
  .card.mb-3, .navbar-brand, [aria-controls], thead[hidden] { display: none }
</style>
"""
_FETCHED_OR_RUN = re.compile(
    r"<script\b.*?</script>|<style\b.*?</style>|<footer\b.*?</footer>|<link\b[^>]*>|<img\b[^>]*>", re.S
)
_SUITE_PAGE = re.compile(r'<a href="[^"]*expectations/[^"]*"[^>]*>(.*?)</a>', re.S)  # a suite is code: it has no page


class EscapedResults(ValidationResultsPageRenderer):
    """Renders a result with its sample rows, and every value of the data as text."""

    def render(
        self, validation_results: ExpectationSuiteValidationResult, suite_parameters: Any = None
    ) -> RenderedDocumentContent:
        """The page's content."""
        for result in validation_results.results:
            result.result = _escaped(_with_rows(result.result))
            result.exception_info = _escaped(result.exception_info)
        return super().render(validation_results, suite_parameters)


class CompiledTemplates(BytecodeCache):
    """Jinja's compiled templates in this process: Great Expectations would compile its fifty for every page."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the bucket its template's code, if it was compiled before."""
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of the bucket's template."""
        self._code[bucket.key, bucket.checksum] = bucket.code


_COMPILED = CompiledTemplates()


class SelfContainedPage(DefaultJinjaPageView):
    """A page that fetches nothing and runs nothing."""

    def __init__(self, **folders: Any) -> None:
        super().__init__(**folders)
        self.env.bytecode_cache = _COMPILED

    def render(self, document: Any, template: Any = None, **kwargs: Any) -> str:
        """The page's HTML."""
        page = _FETCHED_OR_RUN.sub("", super().render(document, template, **kwargs))
        return _SUITE_PAGE.sub(r"\1", page).replace("</head>", f"{_HEAD}</head>", 1)


def _with_rows(result: dict[str, Any]) -> dict[str, Any]:
    """Sampled values make way for the rows that hold them."""
    rows = result.get("unexpected_rows")
    if not rows:
        return result
    row_texts = [", ".join(f"{name}={value}" for name, value in row.items()) for row in rows]
    return {**result, "partial_unexpected_list": row_texts, "partial_unexpected_counts": []}


def _escaped(value: Any) -> Any:
    """`value` with HTML's characters escaped in every string inside it."""
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, dict):
        return {_escaped(key): _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(inner) for inner in value]
    return value


def index(folder: Path) -> str:
    """The page that lists the results under `folder`/results, newest first, each with a link to its own page."""
    stored = (folder / "results").glob("*/*/*/*.json")  # suite, date, time, batch
    newest = sorted(stored, key=lambda path: (path.parent.name, path), reverse=True)[:LISTED]
    head = "<tr><th></th><th>table</th><th>night</th><th>checked at</th><th>expectations</th></tr>"
    rows = "\n".join(_line(path, folder) for path in newest)
    body = f"<h1>Gates</h1><table>{head}\n{rows}</table>"
    return f"<!DOCTYPE html><html><head><title>Gates</title>{_HEAD}</head><body>{body}</body></html>"


def _line(stored: Path, folder: Path) -> str:
    result = json.loads(stored.read_text(encoding="utf-8"))
    suite, night, time_of_day, batch = stored.relative_to(folder / "results").parts
    page = f"validations/{suite}/{night}/{time_of_day}/{batch.removesuffix('.json')}.html"
    state = "passed" if result["success"] else "failed"
    counts = result["statistics"]
    summary = f"{counts['successful_expectations']} of {counts['evaluated_expectations']} hold"
    when = result["meta"]["validation_time"][:19].replace("T", " ")
    cells = (f'<a href="{html.escape(page)}">{html.escape(suite)}</a>', html.escape(night), html.escape(when), summary)
    return f'<tr><td class="{state}"></td>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
