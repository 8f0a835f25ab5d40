"""Files that are there whole or not at all, and a store of Great Expectations made of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from great_expectations.data_context.store.tuple_store_backend import TupleFilesystemStoreBackend


def write_atomically(path: Path, content: bytes, folder: Path) -> None:
    """Write beside `folder`, then rename: a full disk or a kill never leaves half a file in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class AtomicFileStore(TupleFilesystemStoreBackend):
    """A store on disk that writes whole files: half a result would end every later gate."""

    def _set(self, key: Any, value: str | bytes, **_: Any) -> Any:
        folder = Path(self.full_base_directory)
        parts = key if isinstance(key, tuple) else key.to_tuple()
        path = folder / self._convert_key_to_filepath(parts)
        content = value.encode() if isinstance(value, str) else value
        write_atomically(path, content, folder)
        return str(path)
