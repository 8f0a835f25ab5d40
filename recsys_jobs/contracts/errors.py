"""The two ways a call ends badly, and the exit status each has. Standard library only."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from recsys_jobs.contracts import environment_errors

_SPACES = "\t\N{NO-BREAK SPACE}"
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


class UsageError(Exception):
    """The call was wrong (exit status 2): one line that says what to write instead."""


class JobError(Exception):
    """The work failed (exit status 1): one line that says what was wrong, where, and what to do."""


def run_main(main: Callable[[], None]) -> None:
    """Run a program's `main`; turn the two errors, and what the machine lacks, into one line and an exit status.

    Anything else keeps its traceback: it is a defect of ours, not a user's mistake.
    """
    try:
        main()
    except UsageError as error:
        sys.exit(_print_error(error, 2))
    except JobError as error:
        sys.exit(_print_error(error, 1))
    except Exception as error:
        if line := environment_errors.explain(error):
            sys.exit(_print_error(JobError(line), 1))
        raise


def sanitize(text: str) -> str:
    """The text in one line that a terminal or a log may be given: no control characters, no passwords of URLs.

    Titles, file names and addresses come from outside: an escape sequence would rewrite the screen, a line break
    would forge a line of the log.
    """
    sanitized = "".join(char if char.isprintable() or char in _SPACES else _escape(char) for char in text)
    return _CREDENTIALS.sub("***@", sanitized)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _print_error(error: Exception, status: int) -> int:
    print(f"error: {sanitize(str(error))}", file=sys.stderr, flush=True)
    return status
