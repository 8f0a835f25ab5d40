"""Which code this is: the commit, and whether the tree differs from it."""

from __future__ import annotations

import os
import subprocess
from importlib.metadata import version

from recsys_jobs.contracts.settings import ROOT


def code_version() -> str:
    """`RECSYS_CODE_VERSION` where an image was built with one, else git's description, else the package's version."""
    if from_image := os.environ.get("RECSYS_CODE_VERSION"):
        return from_image
    try:
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return version("recsys-nightly")
