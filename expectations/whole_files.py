"""A store on disk whose files are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from great_expectations.data_context.store.tuple_store_backend import TupleFilesystemStoreBackend


class WholeFiles(TupleFilesystemStoreBackend):
    """Writes beside the store and renames: half a result, left by a full disk or a kill, would end every later gate."""

    def _set(self, key: Any, value: str | bytes, **_: Any) -> Any:
        folder = Path(self.full_base_directory)
        path = folder / self._convert_key_to_filepath(key if isinstance(key, tuple) else key.to_tuple())
        path.parent.mkdir(parents=True, exist_ok=True)
        half = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        try:
            half.write_bytes(value.encode() if isinstance(value, str) else value)
            half.replace(path)
        finally:
            half.unlink(missing_ok=True)
        return str(path)
