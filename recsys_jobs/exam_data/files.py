"""Reads text files of columns and of JSON lines; whatever is broken is named by file and line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys_jobs.dataset import Floats, Ints
from recsys_jobs.errors import JobError

_FIELD = "\x1f"  # the unit separator, which no text has
_MAX_LINE = 10_000_000  # characters; a bomb of zeros has no line end
_MILLISECONDS = 1e11  # a time above it is no number of seconds: that would be the year 5138


def columns(path: Path, needs: tuple[str, ...], separator: str = ",") -> pd.DataFrame:
    """Return a file with a header as strings, blank lines left out; the index is the record's number, the header 1.

    Tab-separated files know no quotes, as everyone writes them. JobError where a needed column is absent.
    """
    quoting = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL
    frame = _table(path, path, sep=separator, quoting=quoting)
    frame.columns = frame.columns.str.strip().str.removeprefix("\ufeff")
    if absent := [name for name in needs if name not in frame.columns]:
        raise JobError(f"{path}: no column {absent[0]}: its header is {', '.join(frame.columns)}")
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    return frame[(frame != "").any(axis=1)]


def fields(path: Path, names: tuple[str, ...], separator: str, encoding: str) -> pd.DataFrame:
    """Return a file without a header whose separator has several characters; the index is the line's number."""
    with _broken(path):
        text = path.read_bytes().decode(encoding)
    text = text.replace(separator, _FIELD)
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and line.count(_FIELD) != len(names) - 1:
            raise JobError(f"{path}, line {number}: not the {len(names)} fields {', '.join(names)}")
    how = {"sep": _FIELD, "quoting": csv.QUOTE_NONE, "header": None, "names": list(names)}
    frame = _table(path, io.StringIO(text), **how)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame[(frame != "").any(axis=1)]


def _table(path: Path, source: Any, **how: Any) -> pd.DataFrame:
    with _broken(path):
        frame = pd.read_csv(source, dtype=str, keep_default_na=False, skip_blank_lines=False, **how)
    return frame.fillna("")


def required(frame: pd.DataFrame, path: Path, name: str) -> list[str]:
    """Return a column without surrounding space; JobError where a value is blank."""
    values = frame[name].str.strip()
    refuse(path, values, values == "", "it may not be blank")
    return values.tolist()


def refuse(path: Path, values: pd.Series, wrong: pd.Series, why: str) -> None:
    """Raise JobError where any value of a column is wrong: it names the first one, and its line."""
    if wrong.any():
        place = int(wrong.to_numpy().argmax())
        raise JobError(f"{path}, line {values.index[place]}: {values.name} is {values.iloc[place]!r}: {why}")


def numbers(frame: pd.DataFrame, path: Path, name: str) -> Floats:
    """Return a column as numbers, NaN where it is blank; JobError where it is something else."""
    given = frame[name].str.strip()
    found = pd.to_numeric(given, errors="coerce")
    refuse(path, given, (found.isna() | np.isinf(found)) & (given != ""), "that is no number")
    return found.to_numpy(np.float64)


def seconds(frame: pd.DataFrame, path: Path, name: str) -> Ints:
    """Return a column of times as seconds since 1970, UTC: given as seconds, milliseconds or ISO dates; none blank."""
    given = pd.Series(required(frame, path, name), index=frame.index, name=name)
    if pd.to_numeric(given.iloc[:1], errors="coerce").notna().all():
        found = numbers(frame, path, name)
        return np.where(np.abs(found) > _MILLISECONDS, found / 1_000, found).astype(np.int64)
    moments = pd.to_datetime(given, format="ISO8601", utc=True, errors="coerce")
    refuse(path, given, moments.isna(), "write seconds since 1970 or an ISO date")
    return (moments.to_numpy("datetime64[s]")).astype(np.int64)


def ratings_and_times(frame: pd.DataFrame, path: Path) -> dict[str, Any]:
    """Return `rating` and `time`, as far as the file has such columns."""
    found: dict[str, Any] = {}
    if "rating" in frame.columns:
        found["rating"] = numbers(frame, path, "rating").astype(np.float32)
    if name := next((name for name in ("timestamp", "time") if name in frame.columns), ""):
        found["time"] = seconds(frame, path, name)
    return found


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and object of each line that is not blank."""
    for number, line in text_lines(path):
        try:
            found = json.loads(line)
        except json.JSONDecodeError as error:
            raise JobError(f"{path}, line {number}: not JSON: {error.msg}") from None
        except RecursionError:
            raise JobError(f"{path}, line {number}: nested too deep") from None
        if not isinstance(found, dict):
            raise JobError(f"{path}, line {number}: not a JSON object")
        yield number, found


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line of a gzip that is not blank."""
    with _broken(path), gzip.open(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(iter(partial(file.readline, _MAX_LINE), ""), 1):
            if len(line) == _MAX_LINE:
                raise JobError(f"{path}, line {number}: longer than {_MAX_LINE:,} characters")
            if line.strip():
                yield number, line


@contextmanager
def _broken(path: Path) -> Iterator[None]:
    """Turn what a broken file raises into one line that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise JobError(f"{path}: a gzip that is cut off or broken ({error}): fetch it again") from None
    except UnicodeDecodeError as error:
        raise JobError(f"{path}: not {error.encoding} at byte {error.start}") from None
    except pd.errors.EmptyDataError:
        raise JobError(f"{path}: empty") from None
    except pd.errors.ParserError as error:
        raise JobError(f"{path}: {' '.join(str(error).split())}") from None
