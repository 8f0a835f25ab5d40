"""Small column expressions that reviews and items share: parsing a line, problems, ids, lists, hashes."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from spark.quarantine_reasons import (
    BAD_ID,
    ID_PATTERN,
    INVALID_JSON,
    MAX_LINE,
    MAX_RAW,
    MISSING_ID,
    NOT_UTF8,
    TOO_LONG,
    WRONG_TYPE,
)

DETAIL_CHARACTERS = 200  # characters of a wrong value that a detail shows
JSON_OPTIONS = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
Problem = tuple[Column, str, Column]  # holds when, reason, detail


def parse(json: Column, fields: str) -> Column:
    """The lines' objects as structs in arrays of one: the brackets make a second object on the line an error."""
    wrapped = F.concat(F.lit("["), json, F.lit("]"))
    parsed = F.from_json(wrapped, f"ARRAY<STRUCT<{fields}>>", JSON_OPTIONS)
    return F.when(F.octet_length("value") <= MAX_LINE, parsed)


def readable(parsed: Column) -> Column:
    """Whether a line is one object in UTF-8; null counts as no."""
    is_one_object = (F.size(parsed) == 1) & F.get(parsed, F.lit(0)).isNotNull()
    return F.is_valid_utf8("value") & is_one_object


def unreadable(parsed: Column) -> list[Problem]:
    """Return the problems that keep a line from being one object."""
    size = F.octet_length("value")
    return [
        (size > MAX_LINE, TOO_LONG, F.concat(size.cast("string"), F.lit(" bytes"))),
        (~F.is_valid_utf8("value"), NOT_UTF8, F.lit(None)),
        (~F.coalesce(readable(parsed), F.lit(False)), INVALID_JSON, F.lit(None)),
    ]


def looks_like_id(raw: Column, pattern: str = ID_PATTERN) -> Column:
    """Whether an id is one at first sight; digits alone may have been a number, which `bad_id` finds out."""
    return raw.rlike(rf"^(?!(?:[0-9eE-]+|true|false)\z){pattern}\z")


def bad_id(name: str, raw: Column, json: Column, pattern: str = ID_PATTERN) -> list[Problem]:
    """Return the problems that an id can have; a number loses its leading zeros, so it is no id."""
    quoted = F.contains(json, F.concat(F.lit('"'), raw, F.lit('"')))
    bare = raw.rlike(r"^(-?[0-9.eE+]+|true|false)\z") & ~quoted
    return [
        (blank(raw), MISSING_ID, F.lit(name)),
        (raw.rlike(r"^\s*[\[{]") | bare, WRONG_TYPE, name_and_value(name, raw)),
        (~raw.rlike(rf"^{pattern}\z"), BAD_ID, name_and_value(name, raw)),
    ]


def first_problem(sound: Column, problems: list[Problem]) -> Column:
    """Return the first problem that holds, as struct<reason, detail>; null where none does.

    Lines that are `sound` at first sight, nearly all, skip the conditions.
    """
    chain = F.when(sound, F.lit(None))
    for holds, reason, detail in problems:
        problem = F.struct(F.lit(reason).alias("reason"), detail.cast("string"))
        chain = chain.when(holds, problem)
    return chain.cast("struct<reason:string,detail:string>")


def raw_line() -> Column:
    """The line as quarantine keeps it."""
    return F.make_valid_utf8(F.substring("value", 1, MAX_RAW))


def name_and_value(name: str, raw: Column) -> Column:
    """`name=value`, the value cut short."""
    return F.concat(F.lit(f"{name}="), F.substring(raw, 1, DETAIL_CHARACTERS))


def blank(text: Column) -> Column:
    """Null, or nothing but white space."""
    return ~F.coalesce(text, F.lit("")).rlike(r"\S")


def text_hash(title: Column, text: Column) -> Column:
    """sha256 of title, newline, text; null where both are blank."""
    empty = F.lit("")
    joined = F.concat(F.coalesce(title, empty), F.lit("\n"), F.coalesce(text, empty))
    return F.when(~blank(title) | ~blank(text), F.sha2(joined, 256))
