"""Reads text files of columns and of JSON lines; whatever is broken is named by file and line."""

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


def columns(path: Path, needs: tuple[str, ...], separator: str = "") -> pd.DataFrame:
    """Return a file with a header as strings, blank lines left out; the index is the line that a record begins on.

    JobError names file and line of what is wrong, or the column of `needs` that is absent.
    """
    return read_delimited(path, _text(path), needs, separator)


def fields(path: Path, names: tuple[str, ...], separator: str) -> pd.DataFrame:
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
    with _broken(path), _opened(path) as file:
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


def _opened(path: Path) -> IO[bytes]:
    """A file's bytes, unpacked where they are a gzip, whatever its name says."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


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
            yield number, read_object(line)
        except LineError as error:
            raise JobError(f"{path}, line {number}: {error}") from None


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line, of a gzip or not, that is not blank."""
    with _broken(path), _opened(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig") as file:
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
