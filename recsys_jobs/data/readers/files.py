"""Reads text files of columns and of JSON lines; errors name file and line."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.parsing.object_line import LineError, read_object, shorten
from recsys_jobs.data.dataset import Floats, Ints
from recsys_jobs.data.readers.delimited import read_delimited

_MAX_LINE = 10_000_000  # characters; a bomb of zeros has no line end
_MILLISECONDS = 1e11  # a time above it is no number of seconds: that would be the year 5138


def read_columns(path: Path, needs: tuple[str, ...], separator: str = "") -> pd.DataFrame:
    """Return a file with a header as strings, blank lines left out; the index is the line that a record begins on.

    JobError names file and line of what is wrong, or the column of `needs` that is absent.
    """
    return read_delimited(path, _text(path), needs, separator)


def read_fields(path: Path, names: tuple[str, ...], separator: str) -> pd.DataFrame:
    """Return a file without a header whose separator has several characters; the index is the line's number.

    It is read as UTF-8 where its bytes are that, else as Latin-1.
    """
    lines = [(number, line) for number, line in enumerate(_text(path, "latin-1").split("\n"), 1) if line.strip()]
    rows = [line.removesuffix("\r").split(separator) for _, line in lines]
    for (number, line), row in zip(lines, rows, strict=True):
        if len(row) != len(names):
            raise JobError(f"{path}, line {number}: not the {len(names)} fields {', '.join(names)}: {shorten(line)}")
    return pd.DataFrame(rows, columns=list(names), index=pd.Index([number for number, _ in lines], dtype=int))


def _text(path: Path, otherwise: str = "") -> str:
    """The text of a file, packed or not, without a byte order mark: UTF-8, or the encoding `otherwise`."""
    with _named_errors(path), _open_unpacked(path) as file:
        raw = file.read()
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise JobError(f"{path}: UTF-16 text: save it as UTF-8 (`iconv -f UTF-16 -t UTF-8`)")
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            if otherwise:
                return raw.decode(otherwise)
            line = raw[: error.start].count(b"\n") + 1
            raise JobError(
                f"{path}, line {line}: not UTF-8 (byte 0x{raw[error.start]:02x}): save it as UTF-8, "
                "from a Windows program perhaps by `iconv -f WINDOWS-1252 -t UTF-8`"
            ) from None


def _open_unpacked(path: Path) -> IO[bytes]:
    """A file's bytes, unpacked where they are a gzip, whatever its name says."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def required_column(frame: pd.DataFrame, path: Path, name: str) -> list[str]:
    """Return a column without surrounding space; JobError where a value is blank."""
    values = frame[name].str.strip()
    reject_where(path, values, values == "", "it may not be blank")
    return values.tolist()


def reject_where(path: Path, values: pd.Series, wrong: pd.Series, why: str) -> None:
    """Raise JobError where any value of a column is wrong: it names the first one, and its line."""
    if wrong.any():
        first = int(wrong.to_numpy().argmax())
        raise JobError(f"{path}, line {values.index[first]}: {values.name} is {values.iloc[first]!r}: {why}")


def number_column(frame: pd.DataFrame, path: Path, name: str) -> Floats:
    """Return a column as numbers, NaN where it is blank; JobError where it is something else."""
    text = frame[name].str.strip()
    numbers = pd.to_numeric(text, errors="coerce")
    wrong = (numbers.isna() | np.isinf(numbers)) & (text != "")
    reject_where(path, text, wrong, "that is no number")
    return numbers.to_numpy(np.float64)


def time_column(frame: pd.DataFrame, path: Path, name: str) -> Ints:
    """Return a column of times as seconds since 1970, UTC: given as seconds, milliseconds or ISO dates; none blank."""
    text = pd.Series(required_column(frame, path, name), index=frame.index, name=name)
    if pd.to_numeric(text.iloc[:1], errors="coerce").notna().all():
        numbers = number_column(frame, path, name)
        seconds = np.where(np.abs(numbers) > _MILLISECONDS, numbers / 1_000, numbers)
        return seconds.astype(np.int64)
    times = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    reject_where(path, text, times.isna(), "write seconds since 1970 or an ISO date")
    return (times.to_numpy("datetime64[s]")).astype(np.int64)


def ratings_and_times(frame: pd.DataFrame, path: Path) -> dict[str, Any]:
    """Return `rating` and `time`, as far as the file has such columns."""
    columns: dict[str, Any] = {}
    if "rating" in frame.columns:
        columns["rating"] = number_column(frame, path, "rating").astype(np.float32)
    if name := next((name for name in ("timestamp", "time") if name in frame.columns), ""):
        columns["time"] = time_column(frame, path, name)
    return columns


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and object of each line that is not blank."""
    for number, line in text_lines(path):
        try:
            yield number, read_object(line)
        except LineError as error:
            raise JobError(f"{path}, line {number}: {error}") from None


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line, of a gzip or not, that is not blank."""
    with _named_errors(path), _open_unpacked(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig") as file:
        for number, line in enumerate(iter(partial(file.readline, _MAX_LINE), ""), 1):
            if len(line) == _MAX_LINE:
                raise JobError(f"{path}, line {number}: longer than {_MAX_LINE:,} characters")
            if line.strip():
                yield number, line


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Turn the errors of a broken file into one line that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise JobError(f"{path}: a gzip that is cut off or broken ({error}): fetch it again") from None
    except UnicodeDecodeError as error:
        raise JobError(f"{path}: not {error.encoding} at byte {error.start}") from None
