"""Reads botocore's descriptions of services as plain dicts, and only what a program needs of them: 4 MiB less for either.

Of S3 and of the partitions together there are 24,000 ordered dicts, kept as long as the process lives; and a collection of
garbage walks through every ordered one, in which no text alone is ever left out. Plain dicts keep their order since
Python 3.7; botocore's own code is older. Half of what S3's model takes are texts for people, and of 305 services in a
partition six at most are ever asked.
"""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader, create_loader

#: The services that this program and botocore's search for credentials ask, by their names in endpoints.json. For any other
#: one botocore would take the partition's usual host name, SERVICE.REGION.SUFFIX.
ASKED = frozenset({"cloudfront", "oidc", "portal.sso", "s3", "signin", "sts"})
_PARTITIONS = "endpoints.json"


class PlainFiles(JSONFileLoader):
    """Loads the same files; the `file_loader` of a botocore Loader."""

    def load_file(self, file_path: str) -> Any:
        """Return what is needed of a file, which is named without its ending; None where there is none."""
        plain, packed = Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")
        if plain.is_file():
            content = plain.read_bytes()
        elif packed.is_file():
            content = gzip.decompress(packed.read_bytes())
        else:
            return None
        hook = _without_other_services if plain.name == _PARTITIONS else _without_texts
        return json.loads(content, object_hook=hook)


def _without_texts(found: dict[str, Any]) -> dict[str, Any]:
    """Empty the text for people, which botocore asks for; a member of a service may have that name too, and is an object."""
    if isinstance(found.get("documentation"), str):
        found["documentation"] = ""
    return found


def _without_other_services(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a partition the services that nobody here asks."""
    services = found.get("services")
    if isinstance(services, dict):
        found["services"] = {name: service for name, service in services.items() if name in ASKED}
    return found


@functools.cache
def shared_loader(data_path: str | None) -> Loader:
    """Return the loader of every session of the process: one that looks for other credentials reads no file again.

    `data_path` is botocore's setting of that name (AWS_DATA_PATH).
    """
    loader = create_loader(data_path)
    loader.file_loader = PlainFiles()
    return loader
