"""Whether a text names a person: the id as a word of its own, not as a part of a longer one."""

from __future__ import annotations

import re
from pathlib import Path

_WORD = "[A-Za-z0-9_-]"


def id_pattern(user: str) -> re.Pattern[bytes]:
    """Return a pattern of the id as bytes, with no letter, digit, _ or - right before or after it."""
    before, after = f"(?<!{_WORD})".encode(), f"(?!{_WORD})".encode()
    return re.compile(before + re.escape(user.encode()) + after)


def mentions(text: str | Path, user: str) -> bool:
    """Return whether the text, or the bytes of the file, name the person."""
    data = text.read_bytes() if isinstance(text, Path) else text.encode()
    return user.encode() in data and id_pattern(user).search(data) is not None
