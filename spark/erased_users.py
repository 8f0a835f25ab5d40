"""Rejected lines that name an erased reviewer lose their text: it would bring back who asked to be forgotten."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from recsys_jobs.contracts.erased_users import ErasedUsers
from spark.quarantine_reasons import ID_PATTERN, USER_PATTERN

_WORDS = (re.compile(ID_PATTERN), re.compile(USER_PATTERN))
_ID_FIELD = re.compile(r'"(?:reviewerID|user_id)"\s*:\s*("(?:[^"\\]|\\.)*")')  # its value may be written with escapes


def redacted(row: dict[str, Any], erased: ErasedUsers) -> dict[str, Any]:
    """The rejected line without `raw` and `detail` where these name an erased reviewer, in whichever field."""
    if not erased.hashes or not any(word in erased for word in _possible_ids(row)):
        return row
    return row | {"raw": None, "detail": None}


def _possible_ids(row: dict[str, Any]) -> Iterator[str]:
    """Every word of the line that may be a reviewer's id, and the values of the fields that hold ids."""
    for text in filter(None, (row["raw"], row["detail"])):
        for pattern in _WORDS:
            yield from pattern.findall(text)
    for value in _ID_FIELD.findall(row["raw"] or ""):
        with suppress(ValueError):
            yield json.loads(value)
