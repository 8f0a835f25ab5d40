"""Where a process can be made to die, so that tests and `make prove` can show that the next run recovers."""

from __future__ import annotations

import os
import signal


def point(name: str) -> None:
    """End this process with SIGKILL where `RECSYS_KILL_AT` names this point; otherwise do nothing."""
    if os.environ.get("RECSYS_KILL_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
