"""Reads botocore's descriptions of services as plain dicts, which take 4 MiB less than the ordered ones it would make.

Of S3 and of the partitions together there are 24,000 of them, kept as long as the process lives; and a collection of
garbage walks through every ordered one, in which no text alone is ever left out. Plain dicts keep their order since
Python 3.7; botocore's own code is older.
"""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader, create_loader


class PlainFiles(JSONFileLoader):
    """Loads the same files; the `file_loader` of a botocore Loader."""

    def load_file(self, file_path: str) -> Any:
        """Return the JSON of a file, which is named without its ending; None where there is none."""
        plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
        if plain.is_file():
            return json.loads(plain.read_bytes())
        return json.loads(gzip.decompress(packed.read_bytes())) if packed.is_file() else None


@functools.cache
def shared_loader(data_path: str | None) -> Loader:
    """Return the loader of every session of the process: one that looks for other credentials reads no file again.

    `data_path` is botocore's setting of that name (AWS_DATA_PATH).
    """
    loader = create_loader(data_path)
    loader.file_loader = PlainFiles()
    return loader
