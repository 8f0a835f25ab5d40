"""The blocklist: items and brands that may never be shown, which an operator writes into a CSV file.

The file is `blocklist.csv` in the lake's folder, or the one `RECSYS_BLOCKLIST` names. Its first line is
`kind,value` or `kind,value,reason`; each line after it blocks one item (`item,B00000016W,recalled`) or all
items of a brand (`brand,Acme`), as a person would type it: case, entities, kinds of dashes, quotes and blanks
do not count. Blank lines, and lines that start with #, are notes.
A file with a bad line blocks nothing and stops the step: half a blocklist is none. I items.
"""

from __future__ import annotations

import csv
import difflib
import logging
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.parsing.plain_text import plain_text
from recsys_jobs.contracts.settings import lake_root
from recsys_jobs.contracts.tables import ITEMS
from recsys_jobs.data.dataset import Bools
from recsys_jobs.lake import delta

KINDS = ("item", "brand")
HEADERS = (["kind", "value"], ["kind", "value", "reason"])
_UNSEEN = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"  # soft hyphens, joiners, marks of direction
_PLAIN = str.maketrans("‘’‚‛′`´“”„‟″‐‑‒–—―−", "'" * 7 + '"' * 5 + "-" * 7, _UNSEEN)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Blocklist:
    """Item ids as they are, brands as `brand_key` makes them."""

    items: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()


def blocklist_file() -> Path:
    """The path of the blocklist."""
    return Path(os.environ.get("RECSYS_BLOCKLIST") or lake_root() / "blocklist.csv").absolute()


def load_blocklist() -> Blocklist:
    """The blocklist as it stands now; an empty one where there is no file, unless `RECSYS_BLOCKLIST` names it.

    JobError, with file and line, where a line is not understood.
    """
    path = blocklist_file()
    if not path.exists() and not os.environ.get("RECSYS_BLOCKLIST"):
        return Blocklist()
    try:
        return parse_blocklist(path.read_text(encoding="utf-8-sig"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise JobError(f"the blocklist {path} cannot be read: {error}; nothing is published without it") from None


def parse_blocklist(text: str, path: Path) -> Blocklist:
    """The blocklist written in `text`; JobError at the first line that is none."""
    values: dict[str, set[str]] = {kind: set() for kind in KINDS}
    width = 0  # cells in the header; 0 before it
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{path}, line {number}: "
        cells = _csv_cells(line, where)
        if not width:
            width = _header_width(cells, line, where)
            continue
        kind, value = _parse_entry(cells, width, where)
        values[kind].add(value)
    return Blocklist(frozenset(values["item"]), frozenset(map(brand_key, values["brand"])))


def brand_key(brand: str) -> str:
    """Return what two spellings of one brand have in common."""
    text = plain_text(brand).translate(_PLAIN)
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _csv_cells(line: str, where: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise JobError(f"{where}not CSV: {error}") from None


def _header_width(cells: list[str], line: str, where: str) -> int:
    if [cell.lower() for cell in cells] not in HEADERS:
        raise JobError(f"{where}the first line must be kind,value or kind,value,reason, not {line.strip()!r}")
    return len(cells)


def _parse_entry(cells: list[str], width: int, where: str) -> tuple[str, str]:
    if not 2 <= len(cells) <= width:
        raise JobError(f"{where}{len(cells)} cells where 2 to {width} belong; quote a value that has a comma")
    kind, value = cells[0].lower(), cells[1]
    if kind not in KINDS:
        raise JobError(f"{where}{cells[0]!r} is no kind: write item or brand")
    if not (brand_key(value) if kind == "brand" else value):
        raise JobError(f"{where}no {kind} is named")
    return kind, value


def blocked_mask(run_date: date, items: list[str]) -> Bools:
    """Which of these items [I] may not be shown on `run_date`.

    An item bears a brand if any of its versions that count at the cut does: a title page that lost the
    brand since does not let it through.
    """
    blocklist = load_blocklist()
    item_ids = pa.array(items, pa.string())
    blocked_I = np.asarray(pc.is_in(item_ids, _listed_items(blocklist, items, run_date)), dtype=np.bool_)
    if blocklist.brands:
        of_brands = _items_of_brands(blocklist.brands, run_date)
        blocked_I |= np.asarray(pc.is_in(item_ids, of_brands), dtype=np.bool_)
    if blocked_I.any():
        log.info("blocklist: %d of %d items are not shown", int(blocked_I.sum()), len(items))
    return blocked_I


def _listed_items(blocklist: Blocklist, items: list[str], run_date: date) -> pa.Array:
    """The items that the blocklist names, in any case; a warning for those that are not among `items`."""
    listed_keys = {item.casefold() for item in blocklist.items}
    listed = [item for item in items if item.casefold() in listed_keys]
    eligible_keys = {item.casefold() for item in listed}
    if unknown := [item for item in blocklist.items if item.casefold() not in eligible_keys]:
        log.warning("%s names %d items that are not eligible on %s: %s", *_warning_arguments(unknown, run_date))
    return pa.array(listed, pa.string())


def _items_of_brands(brands: frozenset[str], run_date: date) -> pa.Array:
    landed = pc.field("landed_on").is_null() | (pc.field("landed_on") <= pa.scalar(run_date))
    rows = delta.read(ITEMS, landed & pc.field("brand").is_valid(), ["item_id", "brand"])
    key_of = {brand: brand_key(brand) for brand in pc.unique(rows["brand"]).to_pylist()}
    spellings = pa.array([brand for brand, key in key_of.items() if key in brands], pa.string())
    if absent := brands - set(key_of.values()):
        log.warning("%s names %d brands that no item has on %s: %s", *_warning_arguments(absent, run_date))
        _log_similar_brands(absent, key_of)
    return pc.unique(rows.filter(pc.is_in(rows["brand"], spellings))["item_id"])


def _log_similar_brands(absent: frozenset[str], key_of: dict[str, str]) -> None:
    """Log the brands of the catalogue that are spelled like an absent one."""
    brand_of = {key: brand for brand, key in key_of.items()}
    for name in sorted(absent)[:5]:
        if matches := difflib.get_close_matches(name, brand_of, cutoff=0.8):
            brands = ", ".join(repr(brand_of[key]) for key in matches)
            log.warning("brand %r: items are shown of %s", name, brands)


def _warning_arguments(names: Iterable[str], run_date: date) -> tuple[Path, int, date, str]:
    """The arguments of a warning about `names`: the file, how many there are, the night, the first five."""
    ordered = sorted(names)
    first_five = ", ".join(ordered[:5]) + (", …" if len(ordered) > 5 else "")
    return blocklist_file(), len(ordered), run_date, first_five
