"""Files that are there whole or not at all, and a store of Great Expectations made of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from great_expectations.data_context.store.tuple_store_backend import TupleFilesystemStoreBackend


def write_whole(path: Path, content: bytes, beside: Path) -> None:
    """Write beside the folder `beside`, then rename: half a file, left by a full disk or a kill, is never found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = beside.with_name(f".{beside.name}.{os.getpid()}.part")
    try:
        half.write_bytes(content)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


class WholeFiles(TupleFilesystemStoreBackend):
    """A store on disk that writes whole files: half a result would end every later gate."""

    def _set(self, key: Any, value: str | bytes, **_: Any) -> Any:
        folder = Path(self.full_base_directory)
        path = folder / self._convert_key_to_filepath(key if isinstance(key, tuple) else key.to_tuple())
        write_whole(path, value.encode() if isinstance(value, str) else value, folder)
        return str(path)
