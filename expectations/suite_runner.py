"""Runs a suite on a frame, writes the report to the data docs, logs the rows that break it.

A Spark frame is judged in one pass where Great Expectations allows it: expectations first count what breaks them
(their counts share one aggregation), and rows are fetched for those that failed alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from expectations import docs
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import Table

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.datasource.fluent.interfaces import Batch

log = logging.getLogger(__name__)

Frame: TypeAlias = Any  # a pandas or a Spark DataFrame: pyspark is not ours to import

SAMPLE_ROWS = 5
VALUE_WIDTH = 80  # characters of a value that a log line shows
_COUNTS_ALONE = {"result_format": "BASIC", "partial_unexpected_count": 0}  # fetching no rows costs Spark no job
_WITH_ROWS = {"result_format": "BASIC", "partial_unexpected_count": SAMPLE_ROWS, "include_unexpected_rows": True}


@dataclass(frozen=True)
class Verdict:
    """The result of one suite on one frame."""

    suite: str
    failed: list[str]  # "expectation(columns)" of each that failed
    page: Path  # its page in the data docs


def require_success(table: Table, run_date: date, verdicts: list[Verdict]) -> None:
    """JobError in one line if any of the verdicts has a failed expectation."""
    failed = [name for verdict in verdicts for name in verdict.failed]
    if not failed:
        return
    pages = ", ".join(str(verdict.page) for verdict in verdicts if verdict.failed)
    raise JobError(f"{table.name} of {run_date} fails its gate: {', '.join(failed)}; rows above, report in {pages}")


def run_suite(suite: ExpectationSuite, frame: Frame, run_date: date) -> Verdict:
    """Run `suite` on `frame`, publish the report and log it: one line, or the rows that break each expectation."""
    start = time.monotonic()
    with _cached_columns(frame, suite) as narrow:
        result = _batch(suite.name, narrow).validate(suite, result_format=_COUNTS_ALONE)
    if not result.success:
        _add_sample_rows(result, suite, frame)
    page = docs.publish(result, run_date)
    failed = [check for check in result.results if not check.success]
    for check in failed:
        _log_failure(suite.name, check, page)
    if not failed:
        seconds = time.monotonic() - start
        log.info(
            "%s: %d expectations hold on %s rows (%.1f s); report in %s",
            *(suite.name, len(result.results), _row_count(result), seconds, page),
        )
    return Verdict(suite.name, [_name(check) for check in failed], page)


@contextmanager
def _cached_columns(frame: Frame, suite: ExpectationSuite) -> Iterator[Frame]:
    """Yield the columns that `suite` reads, cached while it runs if Spark would compute them for each pass."""
    if isinstance(frame, pd.DataFrame):
        yield frame
        return
    selected = frame.select(*columns(suite)).persist()
    try:
        yield selected
    finally:
        selected.unpersist()


def columns(suite: ExpectationSuite) -> list[str]:
    """The columns that the expectations name, in order."""
    names: list[str] = []
    for expectation in suite.expectations:
        names += columns_of(expectation.configuration.kwargs)
    return list(dict.fromkeys(names))


def columns_of(kwargs: dict[str, Any]) -> list[str]:
    """The columns among an expectation's arguments."""
    names = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    return names + list(kwargs.get("column_list", []))


def _batch(name: str, frame: Frame) -> Batch:
    """Return `frame` as a batch of Great Expectations; a source of the same name is replaced, its frame released."""
    sources = docs.open_context().data_sources
    if isinstance(frame, pd.DataFrame):
        source: Any = sources.add_or_update_pandas("pandas")
    else:
        source = sources.add_or_update_spark("spark", persist=False)  # it would never let go of the frame
    whole = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("frame")
    return whole.get_batch({"dataframe": frame})


def _add_sample_rows(result: ExpectationSuiteValidationResult, suite: ExpectationSuite, frame: Frame) -> None:
    """Replace each failed result by one that carries sample rows: whole ones, so from the whole frame."""
    import great_expectations as gx

    failed = {_identity(check.expectation_config) for check in result.results if not check.success}
    expectations = [e.copy() for e in suite.expectations if _identity(e.configuration) in failed]
    failed_suite = gx.ExpectationSuite(suite.name, expectations)
    rerun = _batch(suite.name, frame).validate(failed_suite, result_format=_WITH_ROWS)
    by_config = {_identity(check.expectation_config): _shorten_rows(check) for check in rerun.results}
    result.results = [by_config.get(_identity(check.expectation_config), check) for check in result.results]


def _shorten_rows(check: ExpectationValidationResult) -> ExpectationValidationResult:
    """The result with its sample rows as text of bounded length: a review may be a book."""
    rows = check.result.get("unexpected_rows")
    if rows is None:
        return check
    records = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows
    texts = [{name: _shorten(value) for name, value in row.items()} for row in records]
    check.result["unexpected_rows"] = texts
    return check


def _identity(configuration: Any) -> str:
    kwargs = {key: value for key, value in configuration.kwargs.items() if key != "batch_id"}
    return f"{configuration.type} {sorted(kwargs.items())}"


def _name(check: ExpectationValidationResult) -> str:
    config = check.expectation_config
    assert config is not None
    return f"{config.type}({', '.join(columns_of(config.kwargs))})"


def _row_count(result: ExpectationSuiteValidationResult) -> str:
    """The frame's rows, as any expectation on values has counted them."""
    counts = (check.result.get("element_count") for check in result.results)
    return str(next((count for count in counts if count is not None), "?"))


def _log_failure(suite: str, check: ExpectationValidationResult, page: Path) -> None:
    """Log the expectation, the observed values, the place of the report, and rows that break it, one a line."""
    log.error("%s: %s fails: %s; report in %s", suite, _name(check), _describe_result(check), page)
    for row in check.result.get("unexpected_rows") or []:
        log.error("  %s", ", ".join(f"{name}={text}" for name, text in row.items()))


def _describe_result(check: ExpectationValidationResult) -> str:
    message = _exception_message(check.exception_info)
    if message:
        return f"it could not be computed: {message}"
    if "unexpected_count" in check.result:
        return f"{check.result['unexpected_count']} of {check.result['element_count']} rows break it"
    return f"observed {check.result.get('observed_value')!r}"


def _exception_message(info: dict[str, Any]) -> str | None:
    """The first exception's message; Great Expectations files it alone, or by metric where metrics failed."""
    reports = [info] if "raised_exception" in info else list(info.values())
    return next((str(report.get("exception_message")) for report in reports if report.get("raised_exception")), None)


def _shorten(value: Any) -> str:
    """The value in one line, line breaks escaped, cut where it is long."""
    text = repr(value)
    return text if len(text) <= VALUE_WIDTH else f"{text[:VALUE_WIDTH]}…"
