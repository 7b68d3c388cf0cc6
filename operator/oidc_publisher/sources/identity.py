"""Which source a key came from: not its place in the list, but everything that is said of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def source_identity(entry: BaseModel | Mapping[str, Any]) -> str:
    """The digest (`sha256:<hex>`) of a whole entry of spec.keySources, so that an edited source is another one (R4).

    A model and the mapping it was read from have the same identity: null members and the order of members do not count.
    """
    content = entry.model_dump(mode="json", by_alias=True) if isinstance(entry, BaseModel) else entry
    canonical = json.dumps(_without_nulls(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, (list, tuple)) else value
