"""Folders that are made once: by one process while others wait, and there only when they are whole."""

from __future__ import annotations

import fcntl
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)


def make_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return the folder; where it is not there, `make` fills another one, which then takes its name."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            partial = folder.with_name(f".{folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(folder)
            log.info("made encoder %s", folder)
    return folder
