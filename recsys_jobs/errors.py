"""The two ways a call ends badly, and the exit status each has. Standard library only."""

from __future__ import annotations

import sys
from collections.abc import Callable


class UsageError(Exception):
    """The call was wrong (exit status 2): one line that says what to write instead."""


class JobError(Exception):
    """The work failed (exit status 1): one line that says what was wrong, where, and what to do."""


def run_main(main: Callable[[], None]) -> None:
    """Run a program's `main`; turn the two errors into one line on stderr and an exit status.

    Anything else keeps its traceback: it is a defect of ours, not a user's mistake.
    """
    try:
        main()
    except UsageError as error:
        sys.exit(_say(error, 2))
    except JobError as error:
        sys.exit(_say(error, 1))


def _say(error: Exception, status: int) -> int:
    print(f"error: {error}", file=sys.stderr, flush=True)
    return status
