"""Reads CSV and its kin, whatever the dialect: each line has as many cells as the header, or an error names the line.

Writers disagree on quotes: most double one within a quoted cell, some put a backslash before it, some quote nothing.
The dialect is the one in which every line of the file comes out right; where there is none, the first line that does
not is named. Cells are text as it stands: an id of 1012.0 is not 1012. R records.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from recsys_jobs.contracts.errors import JobError

SEPARATORS = (",", ";", "\t", "|")
MAX_CELL = 10_000_000  # characters
_SHOWN = 80  # characters of a line that a message shows

_DOUBLED: dict[str, Any] = {"doublequote": True, "strict": True, "skipinitialspace": True}
_BACKSLASH: dict[str, Any] = {"doublequote": False, "escapechar": "\\", "strict": True, "skipinitialspace": True}
_UNQUOTED: dict[str, Any] = {"quoting": csv.QUOTE_NONE}


@dataclass(frozen=True)
class _Records:
    """A text's records in one dialect, the header first, blank ones left out, and the line that each begins on."""

    line_R: list[int]
    cells_R: list[list[str]]
    problem: str = ""  # the first line that does not come out right in this dialect, and why

    def first_over_lines(self) -> int:
        """The line on which the first record begins that goes over several; 0 where each has a line of its own."""
        for line, cells in zip(self.line_R, self.cells_R, strict=True):
            if any("\n" in cell or "\r" in cell for cell in cells):
                return line
        return 0

    def holds(self, text: str) -> bool:
        """Whether any cell has this text in it."""
        return any(text in cell for cells in self.cells_R for cell in cells)

    def has_wrapped_cells(self) -> bool:
        """Whether any cell begins and ends with a quote."""
        return any(len(cell) > 1 and cell[0] == cell[-1] == '"' for cells in self.cells_R for cell in cells)


def read_delimited(path: Path, text: str, needs: tuple[str, ...], separator: str = "") -> pd.DataFrame:
    """Return a text with a header as strings, blank lines left out; the index is the line that a record begins on.

    Without a `separator` it is the one between the names of the header. JobError names file and line of what is wrong.
    """
    header = next((line for line in io.StringIO(text, newline="") if line.strip()), None)
    if header is None:
        raise JobError(f"{path}: empty")
    separator = separator or _separator(header, needs)
    records = _read_in_any_dialect(path, text, separator)
    names = [name.strip() for name in records.cells_R[0]]
    if absent := [name for name in needs if name not in names]:
        raise JobError(f"{path}: no column {absent[0]}: its header is {', '.join(names)}")
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise JobError(f"{path}: two columns are called {twice[0]}: its header is {', '.join(names)}")
    for line, cells in zip(records.line_R[1:], records.cells_R[1:], strict=True):
        if [cell.strip() for cell in cells] == names:
            raise JobError(f"{path}, line {line}: the header again, as where two files were joined: remove the line")
    rows = records.cells_R[1:]
    columns = {name: [cells[column] for cells in rows] for column, name in enumerate(names) if name}
    return pd.DataFrame(columns, index=pd.Index(records.line_R[1:], dtype=int), dtype=object)


def _separator(header: str, needs: tuple[str, ...]) -> str:
    """The separator with which the header has the columns that are needed; a comma where none does."""
    for separator in SEPARATORS:
        names = {name.strip().strip('"') for name in header.split(separator)}
        if names >= set(needs):
            return separator
    return ","


def _read_in_any_dialect(path: Path, text: str, separator: str) -> _Records:
    """The records in the dialect in which all of them come out right; JobError where no dialect or two do."""
    unquoted = _read_dialect(text, separator, _UNQUOTED)
    if '"' not in text and not unquoted.problem:
        return unquoted
    if separator == "\t" and not unquoted.problem and not unquoted.has_wrapped_cells():
        return unquoted  # tab-separated files know no quotes, as everyone writes them
    doubled = _read_dialect(text, separator, _DOUBLED)
    if "\\" in text and (doubled.problem or doubled.holds('\\"')):
        escaped = _read_dialect(text, separator, _BACKSLASH)
        doubled = doubled if escaped.problem else escaped
    if not doubled.problem:
        line = doubled.first_over_lines()
        if line and not unquoted.problem and len(unquoted.cells_R[0]) > 1:
            raise JobError(
                f"{path}, line {line}: the quote that opens a cell here closes on a later line, and each line is whole "
                'without it: double a quote that is part of the text (""), and quote its cell'
            )
        return doubled
    if not unquoted.problem and not unquoted.has_wrapped_cells():
        return unquoted
    raise JobError(f"{path}, {doubled.problem}: quote a cell that has a separator or a quote, and double its quotes")


def _read_dialect(text: str, separator: str, dialect: dict[str, Any]) -> _Records:
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, **dialect)
    line_R: list[int] = []
    cells_R: list[list[str]] = []
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                line_R.append(begins)
                cells_R.append(cells)
            begins = reader.line_num + 1
    except csv.Error as error:
        return _Records(line_R, cells_R, f"line {begins}: no CSV: {error}")
    return _with_even_width(_Records(line_R, cells_R))


def _with_even_width(records: _Records) -> _Records:
    """The records with as many cells as the header has; the first that has not is a problem.

    A separator at the end of every line, or of the header alone, is a writer's habit and makes no cell.
    """
    header, *rows = records.cells_R
    width = len(header)
    if rows and not header[-1].strip() and all(len(cells) == width - 1 for cells in rows):
        return _Records(records.line_R, [header[:-1], *rows])
    if rows and all(len(cells) == width + 1 and not cells[-1].strip() for cells in rows):
        return _Records(records.line_R, [header, *(cells[:-1] for cells in rows)])
    for line, cells in zip(records.line_R, records.cells_R, strict=True):
        if len(cells) != width:
            start = " | ".join(cells)[:_SHOWN]
            problem = f"line {line}: {len(cells)} cells where the header has {width} ({start})"
            return _Records(records.line_R, records.cells_R, problem)
    return records
