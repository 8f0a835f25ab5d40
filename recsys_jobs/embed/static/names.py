"""What a configured name such as `static` or `static384:mpnet` asks for. Standard library only."""

from __future__ import annotations

import re
from dataclasses import dataclass

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.embed.from_scratch.sizes import ENCODER_SIZES

# Part of the encoder's name: raise it with any change of what a token's vector is made by.
VERSION = 1
TEACHER = "minilm"
WIDTH = 256  # numbers a vector
MAX_TOKENS = 512  # of a text; later ones are not read

_NAME = re.compile(r"static(?P<width>[1-9]\d*)?(?::(?P<teacher>.+))?")


@dataclass(frozen=True)
class StaticName:
    """Which text encoder is distilled, as settings name it, and to how many numbers a token."""

    teacher: str
    width: int


def parse_static(name: str) -> StaticName | None:
    """Return what a name of the form `static[WIDTH][:TEACHER]` asks for, None for any other name.

    UsageError for a teacher that is static itself, or trained from scratch, for that one has no weights yet.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    teacher = match["teacher"] or TEACHER
    if teacher in ENCODER_SIZES or parse_static(teacher):
        raise UsageError(f"text_encoder is {name!r}: {teacher!r} cannot be distilled; name a model, as in static:mpnet")
    return StaticName(teacher, int(match["width"] or WIDTH))
