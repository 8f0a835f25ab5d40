"""The reasons for which a line is in quarantine: every code and its meaning. A line has the first that holds."""

from __future__ import annotations

from recsys_jobs.contracts.parsing.field_values import ID_PATTERN

NOT_UTF8 = "not_utf8"
TOO_LONG = "too_long"
INVALID_JSON = "invalid_json"
WRONG_TYPE = "wrong_type"
MISSING_ID = "missing_id"
BAD_ID = "bad_id"
MISSING_TIME = "missing_time"
EARLY_TIME = "early_time"
FUTURE_TIME = "future_time"
MISSING_RATING = "missing_rating"
BAD_RATING = "bad_rating"

MAX_LINE = 10_000_000  # bytes; a whole book is a tenth of it
MAX_RAW = 1_000_000  # characters of a rejected line that are kept
USER_PATTERN = f"#?{ID_PATTERN}"  # the Fine Foods reviews have users such as #oc-R103C0QSV1DF5E
AMAZON_OPENS = "1995-07-01"  # no review is older

REASONS: dict[str, str] = {
    NOT_UTF8: "the bytes are not UTF-8",
    TOO_LONG: f"longer than {MAX_LINE:,} bytes; only the first {MAX_RAW:,} characters are kept",
    INVALID_JSON: "not one whole object, neither in JSON nor as Python prints a dictionary",
    WRONG_TYPE: "an id that is no string, a time or a rating that is no number",
    MISSING_ID: "no user (reviews) or no item id: absent, null or blank",
    BAD_ID: f"an id that does not match {ID_PATTERN}, a user's with a # before it or not, such as ../../x",
    MISSING_TIME: "no time of the review",
    EARLY_TIME: f"before Amazon opened ({AMAZON_OPENS}): negative times, and milliseconds cut short",
    FUTURE_TIME: "later than one day after the file landed, or than tomorrow",
    MISSING_RATING: "no rating",
    BAD_RATING: "a rating outside 1 to 5",
}
