"""Run a suite on a frame, leave the report in the data docs, log what breaks it.

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
_COUNTS = {"result_format": "BASIC", "partial_unexpected_count": 0}  # fetching no rows costs Spark no job
_ROWS = {"result_format": "BASIC", "partial_unexpected_count": SAMPLE_ROWS, "include_unexpected_rows": True}


@dataclass(frozen=True)
class Verdict:
    """What one suite said of one frame."""

    suite: str
    failed: list[str]  # "expectation(columns)" of each that failed
    page: Path  # its page in the data docs


def demand(table: Table, run_date: date, verdicts: list[Verdict]) -> None:
    """JobError in one line if any of the verdicts has a failed expectation."""
    failed = [name for verdict in verdicts for name in verdict.failed]
    if not failed:
        return
    pages = ", ".join(str(verdict.page) for verdict in verdicts if verdict.failed)
    raise JobError(f"{table.name} of {run_date} fails its gate: {', '.join(failed)}; rows above, report in {pages}")


def judge(suite: ExpectationSuite, frame: Frame, run_date: date) -> Verdict:
    """Run `suite` on `frame`, publish the report and log it: one line, or the rows that break each expectation."""
    began = time.monotonic()
    with _held(frame, suite) as narrow:
        result = _batch(suite.name, narrow).validate(suite, result_format=_COUNTS)
    if not result.success:
        _explain(result, suite, frame)
    page = docs.publish(result, run_date)
    failed = [one for one in result.results if not one.success]
    for one in failed:
        _log_failure(suite.name, one, page)
    if not failed:
        seconds = time.monotonic() - began
        log.info(
            "%s: %d expectations hold on %s rows (%.1f s); report in %s",
            *(suite.name, len(result.results), _rows(result), seconds, page),
        )
    return Verdict(suite.name, [_name(one) for one in failed], page)


@contextmanager
def _held(frame: Frame, suite: ExpectationSuite) -> Iterator[Frame]:
    """The columns that `suite` reads, held in memory while it runs if Spark would compute them for each pass."""
    if isinstance(frame, pd.DataFrame):
        yield frame
        return
    narrow = frame.select(*columns(suite)).persist()
    try:
        yield narrow
    finally:
        narrow.unpersist()


def columns(suite: ExpectationSuite) -> list[str]:
    """The columns that the expectations name, in order."""
    named: list[str] = []
    for expectation in suite.expectations:
        named += columns_of(expectation.configuration.kwargs)
    return list(dict.fromkeys(named))


def columns_of(kwargs: dict[str, Any]) -> list[str]:
    """The columns among an expectation's arguments."""
    one = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    return one + list(kwargs.get("column_list", []))


def _batch(name: str, frame: Frame) -> Batch:
    """`frame` as Great Expectations wants it; a source of the same name is replaced, and its frame let go."""
    sources = docs.open_context().data_sources
    if isinstance(frame, pd.DataFrame):
        source: Any = sources.add_or_update_pandas("pandas")
    else:
        source = sources.add_or_update_spark("spark", persist=False)  # it would never let go of the frame
    whole = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("frame")
    return whole.get_batch({"dataframe": frame})


def _explain(result: ExpectationSuiteValidationResult, suite: ExpectationSuite, frame: Frame) -> None:
    """Put in the place of each failed result one that carries sample rows: whole ones, so from the whole frame."""
    import great_expectations as gx

    failed = {_identity(one.expectation_config) for one in result.results if not one.success}
    again = [e.copy() for e in suite.expectations if _identity(e.configuration) in failed]
    told = _batch(suite.name, frame).validate(gx.ExpectationSuite(suite.name, again), result_format=_ROWS)
    by_config = {_identity(one.expectation_config): _abridged(one) for one in told.results}
    result.results = [by_config.get(_identity(one.expectation_config), one) for one in result.results]


def _abridged(one: ExpectationValidationResult) -> ExpectationValidationResult:
    """The result with its sample rows as text of bounded length: a review may be a book."""
    rows = one.result.get("unexpected_rows")
    if rows is not None:
        records = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows
        one.result["unexpected_rows"] = [{name: _short(value) for name, value in row.items()} for row in records]
    return one


def _identity(configuration: Any) -> str:
    kwargs = {key: value for key, value in configuration.kwargs.items() if key != "batch_id"}
    return f"{configuration.type} {sorted(kwargs.items())}"


def _name(one: ExpectationValidationResult) -> str:
    config = one.expectation_config
    assert config is not None
    return f"{config.type}({', '.join(columns_of(config.kwargs))})"


def _rows(result: ExpectationSuiteValidationResult) -> str:
    """The frame's rows, as any expectation on values has counted them."""
    counts = (one.result.get("element_count") for one in result.results)
    return str(next((count for count in counts if count is not None), "?"))


def _log_failure(suite: str, one: ExpectationValidationResult, page: Path) -> None:
    """The expectation, what was observed, the place of the report, and rows that break it, one a line."""
    log.error("%s: %s fails: %s; report in %s", suite, _name(one), _observed(one), page)
    for row in one.result.get("unexpected_rows") or []:
        log.error("  %s", ", ".join(f"{name}={text}" for name, text in row.items()))


def _observed(one: ExpectationValidationResult) -> str:
    raised = _raised(one.exception_info)
    if raised:
        return f"it could not be computed: {raised}"
    if "unexpected_count" in one.result:
        return f"{one.result['unexpected_count']} of {one.result['element_count']} rows break it"
    return f"observed {one.result.get('observed_value')!r}"


def _raised(info: dict[str, Any]) -> str | None:
    """The first exception's message; Great Expectations files it alone, or by metric where metrics failed."""
    each = [info] if "raised_exception" in info else list(info.values())
    return next((str(one.get("exception_message")) for one in each if one.get("raised_exception")), None)


def _short(value: Any) -> str:
    """The value in one line, line breaks escaped, cut where it is long."""
    text = repr(value)
    return text if len(text) <= VALUE_WIDTH else f"{text[:VALUE_WIDTH]}…"
