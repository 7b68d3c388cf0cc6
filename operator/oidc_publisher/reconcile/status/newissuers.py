"""New objects, which have no status yet, as the watch has shown them, so that their first pass need not ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_Object = Mapping[str, Any]

#: Members of a key source, `name` and the kinds of sources that are only read; apiServer is the other kind.
_BY_NAME = {"name", "configMap", "secret", "files"}


class NewIssuers:
    """NewIssuers keeps new objects as the watch showed them first, until a pass takes them or the watch shows a change.

    A pass may rely on such an object, though it may be a minute old: before its first write, which is one to the object
    under the object's resourceVersion, it only reads. Where the object was changed since, that write is refused, and the
    pass begins anew with the object that the API server has.
    """

    def __init__(self) -> None:
        self._shown: dict[str, _Object] = {}

    def show(self, found: _Object) -> None:
        """Note an object that the watch shows for the first time; one for which a pass must ask is not kept."""
        if may_serve(found):
            self._shown[found["metadata"]["name"]] = found
        else:
            self.forget(found["metadata"]["name"])

    def forget(self, name: str) -> None:
        """Let the next pass ask for the object, because it was changed or deleted since."""
        self._shown.pop(name, None)

    def take(self, name: str) -> _Object | None:
        """Return the object for one pass: the next one asks the API server."""
        return self._shown.pop(name, None)


def may_serve(found: _Object) -> bool:
    """Tell whether a pass may rely on an object as it was shown.

    Nobody has looked at it: it has no status, or the one with which the API server makes objects. Without a ledger nothing
    is published before a ledger is saved. Its pass does nothing else outside before that: it asks no API server for tokens
    and reads no kubeconfig, drops no copies at a distribution, and is not the last one, which may delete documents.
    """
    metadata, spec = found["metadata"], found.get("spec")
    untouched = set(found.get("status") or {}) <= {"conditions"}
    versioned = metadata.get("resourceVersion") and not metadata.get("deletionTimestamp")
    return bool(untouched and versioned and isinstance(spec, Mapping) and _only_reads(spec))


def _only_reads(spec: Mapping[str, Any]) -> bool:
    """Tell of a spec, which this version may not understand, whether a pass over it only reads before its first write."""
    sources, store = spec.get("keySources"), spec.get("store")
    if not isinstance(sources, list) or not sources or not isinstance(store, Mapping):
        return False  # the API servers are the default of keySources
    by_name = all(isinstance(each, Mapping) and set(each) <= _BY_NAME for each in sources)
    s3 = store.get("s3", {})
    return by_name and isinstance(s3, Mapping) and "cloudFront" not in s3
