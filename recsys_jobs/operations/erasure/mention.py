"""Whether a text names a person: the id as a word of its own, not as a part of a longer one."""

from __future__ import annotations

import re
from pathlib import Path

_WORD = "[A-Za-z0-9_-]"


def pattern(user: str) -> re.Pattern[bytes]:
    """The id as bytes, with no letter, digit, _ or - right before or after it."""
    return re.compile(f"(?<!{_WORD})".encode() + re.escape(user.encode()) + f"(?!{_WORD})".encode())


def mentions(text: str | Path, user: str) -> bool:
    """Whether the text, or the bytes of the file, name the person."""
    data = text.read_bytes() if isinstance(text, Path) else text.encode()
    return user.encode() in data and pattern(user).search(data) is not None
