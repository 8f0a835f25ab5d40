"""Run a module as `__main__`, or a command after `--`, tied to the life of the process that launched it.

Linux delivers SIGTERM to this process when its parent dies, however the parent dies: a task that
the scheduler kills with SIGKILL cannot clean up after itself, so its job watches for it.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def request_parent_death_signal(parent: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel for a signal at the parent's death; leave at once if it is dead already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    request_parent_death_signal(int(sys.argv[1]))
    if sys.argv[2] == "--":
        os.execvp(sys.argv[3], sys.argv[3:])  # the kernel keeps the request for the new program too
    module, sys.argv = sys.argv[2], sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
