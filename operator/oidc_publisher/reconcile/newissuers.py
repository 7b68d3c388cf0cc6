"""Objects that the watch has shown and that nobody has looked at yet, so that their first pass need not ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_Object = dict[str, Any]


class NewIssuers:
    """NewIssuers keeps new objects as the watch showed them first, until a pass takes them or the watch shows a change.

    A pass may rely on such an object, though it may be a minute old. Whatever a pass does outside comes after a write under
    the object's resourceVersion: a new object has no ledger, and without a saved ledger nothing is published. Where the
    object was changed since, that write is refused, and the pass begins anew with the object that the API server has.
    """

    def __init__(self) -> None:
        self._shown: dict[str, _Object] = {}

    def show(self, found: Mapping[str, Any]) -> None:
        """Note an object that the watch shows for the first time; one that is not new is asked for."""
        if is_new(found):
            self._shown[found["metadata"]["name"]] = dict(found)
        else:
            self.forget(found["metadata"]["name"])

    def forget(self, name: str) -> None:
        """Let the next pass ask for the object, because it was changed or deleted since."""
        self._shown.pop(name, None)

    def take(self, name: str) -> _Object | None:
        """Return the object for one pass: the next one asks the API server."""
        return self._shown.pop(name, None)


def is_new(found: Mapping[str, Any]) -> bool:
    """Tell whether nobody has looked at an object: it has no status, or the one with which the API server makes objects.

    An object that is being deleted is not new: its last pass may delete documents before it writes to the object.
    """
    metadata = found["metadata"]
    untouched = set(found.get("status") or {}) <= {"conditions"}
    return bool(untouched and metadata.get("resourceVersion") and not metadata.get("deletionTimestamp"))
