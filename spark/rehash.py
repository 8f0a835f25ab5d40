"""Hashes every landed file that the lake holds, whatever its times say: `python -m spark.rehash`.

A night takes a file of unchanged size, time of change and inode as read. This finds one whose bytes are others all the
same: the next night reads it anew.
"""

from __future__ import annotations

import argparse
import logging
from functools import reduce
from pathlib import Path

from tqdm import tqdm

from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.contracts.settings import lake_root, landing_zone
from spark import file_registry
from spark.integrity import fingerprint
from spark.landing import discover

log = logging.getLogger(__name__)


def main() -> None:
    """Run it on the landing zone and the lake of the environment."""
    argparse.ArgumentParser(prog="python -m spark.rehash", description=__doc__).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rehash(landing_zone(), lake_root())


def rehash(landing: Path, lake: Path) -> list[str]:
    """Return the paths of the accepted files whose bytes are not those that were read; they will be read anew."""
    registry = file_registry.load(lake)
    accepted = file_registry.in_force(registry)
    landed = [file for file in discover(landing) if file.path in accepted]
    changed = [
        file.path for file in tqdm(landed, unit="file") if fingerprint(file.place) != accepted[file.path].fingerprint
    ]
    for path in changed:
        log.warning("%s is not what was read, though nothing else tells: the next night reads it anew", path)
    if changed:
        file_registry.save(reduce(file_registry.unseen, changed, registry), lake)
    log.info("%d landed files hashed, %d changed", len(landed), len(changed))
    return changed


if __name__ == "__main__":
    run_step(main)
