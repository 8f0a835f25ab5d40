"""The content-addressed store of images: `<lake>/images/<first two hex digits>/<sha256>.jpg`."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path


def path_of(lake: Path, content_hash: str) -> Path:
    """Where the image with this hash stands."""
    return lake / "images" / content_hash[:2] / f"{content_hash}.jpg"


def has(lake: Path, content_hash: str) -> bool:
    """Whether the store holds the image."""
    return path_of(lake, content_hash).is_file()


def put(lake: Path, jpeg: bytes) -> str:
    """Store the bytes and return their sha256; a reader sees the whole file or none."""
    content_hash = hashlib.sha256(jpeg).hexdigest()
    path = path_of(lake, content_hash)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{content_hash}.{os.getpid()}.{threading.get_ident()}")
        temporary.write_bytes(jpeg)
        temporary.replace(path)
    return content_hash
