"""Read from an OIDCIssuer what the signer decides by, and judge whether its status can be relied on.

The signer imports no pydantic, which would cost a third of its memory, so this module reads the JSON of the object
itself. A member that is missing or malformed never counts as a permission.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

#: The operator writes the time of a proof at most once in this period.
COARSE_PROOF = timedelta(minutes=5)
#: A status is fresh while it is not older than this many intervals and one coarse period (S6).
FRESH_INTERVALS = 3
_NO_MORE = frozenset({"Retiring", "Leaving"})
_PARTS = re.compile(r"([0-9]{1,5})([hms])")
_SECONDS = {"h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class KeyView:
    """A KeyView is one key of an issuer's ledger.

    `safe` is whether safeSinceTime is set in a state that allows signing. `unlisted_by` names API servers that do not
    list the key, and `sources` the key sources that list it. `expected` is the forecast safeToSignTime as it is written,
    for people alone.
    """

    key_id: str
    safe: bool = False
    unlisted_by: tuple[str, ...] = ()
    sources: frozenset[str] = frozenset()
    expected: str = ""


@dataclass(frozen=True, slots=True)
class IssuerView:
    """An IssuerView is what the signer decides by of one OIDCIssuer.

    `trouble` says why nothing may be concluded from the status whatever its age, and is empty where something may.
    `proven_time` is when everything was last proven. `api_sources` are the names of the key sources that read API
    servers, and `withdrawn` the key IDs that somebody wants gone.
    """

    name: str
    trouble: str = ""
    interval: timedelta = timedelta(minutes=1)
    clock_skew: timedelta = timedelta(minutes=5)
    proven_time: datetime | None = None
    keys: tuple[KeyView, ...] = ()
    signing_key_ids: frozenset[str] = frozenset()
    api_sources: frozenset[str] = frozenset({"default"})
    withdrawn: frozenset[str] = frozenset()

    def get(self, key_id: str) -> KeyView | None:
        """Return the ledger's entry of a key, None when the ledger does not hold it."""
        return next((key for key in self.keys if key.key_id == key_id), None)

    def doubt(self, now: datetime) -> str:
        """Say why nothing may be concluded from this status at `now`, in words after the issuer's name; else empty."""
        if self.trouble:
            return self.trouble
        if self.proven_time is None:
            return "was never proven"
        if self.proven_time > now + self.clock_skew:
            return "was proven at a time that lies ahead: a clock is wrong"
        if self.proven_time + COARSE_PROOF + self.interval * FRESH_INTERVALS < now:
            return f"was last proven at {_written(self.proven_time)}, which is too long ago"
        return ""

    def proven_since(self, time: datetime) -> bool:
        """Tell whether everything was proven after `time`."""
        return self.proven_time is not None and self.proven_time > time


def _written(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def view_of(document: Mapping[str, Any]) -> IssuerView:
    """Read an OIDCIssuer as the API server stores it, with all defaults; a malformed one is in trouble."""
    name = str(document.get("metadata", {}).get("name", ""))
    withdrawn = _withdrawn(document)
    try:
        return _view(document, name, withdrawn)
    except (AttributeError, KeyError, TypeError, ValueError):
        return IssuerView(name, "has a status that cannot be read", withdrawn=withdrawn)


def _view(document: Mapping[str, Any], name: str, withdrawn: frozenset[str]) -> IssuerView:
    spec, status = document["spec"], document.get("status", {})
    proven = status.get("lastProvenTime")
    return IssuerView(
        name,
        _trouble(document),
        read_duration(spec["interval"]),
        read_duration(spec["rotation"]["clockSkew"]),
        None if proven is None else _time(proven),
        tuple(_key(entry) for entry in status.get("keys", ())),
        frozenset(_texts(status.get("signingKeyIDs", ()))),
        frozenset(source["name"] for source in spec["keySources"] if _reads_this_cluster(source)),
        withdrawn,
    )


def _reads_this_cluster(source: Mapping[str, Any]) -> bool:
    return "apiServer" in source and "kubeconfigSecret" not in source["apiServer"]


def _trouble(document: Mapping[str, Any]) -> str:
    metadata, status = document["metadata"], document.get("status", {})
    if metadata.get("deletionTimestamp"):
        return "is being deleted"
    if document["spec"].get("suspend") is not False:
        return "is suspended"
    if status.get("observedGeneration") != metadata["generation"]:
        return "has a change that its operator has not seen"
    if why := _not_true("Ready", status):
        return f"is not Ready ({why})"
    # Ready stays True for some passes in which an API server did not answer. What that one lists is not known (S6).
    if why := _not_true("KeysRead", status):
        return f"does not read every API server ({why})"
    return ""


def _not_true(kind: str, status: Mapping[str, Any]) -> str:
    """Return the reason of a condition that is not True; empty where it is."""
    found: Mapping[str, Any] = next((c for c in status.get("conditions", ()) if c["type"] == kind), {})
    return "" if found.get("status") == "True" else str(found.get("reason", "no operator has looked at it"))


def _key(entry: Mapping[str, Any]) -> KeyView:
    return KeyView(
        entry["keyID"],
        isinstance(entry.get("safeSinceTime"), str) and entry.get("state") not in _NO_MORE,
        _texts(entry.get("unlistedBy", ())),
        frozenset(origin["source"] for origin in entry.get("origins", ())),
        str(entry.get("safeToSignTime", "")),
    )


def _withdrawn(document: Mapping[str, Any]) -> frozenset[str]:
    try:
        return frozenset(_texts(document["spec"]["rotation"]["withdrawnKeyIDs"]))
    except (KeyError, TypeError, ValueError):
        return frozenset()


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise ValueError("is no list of texts")
    return tuple(values)


def read_duration(text: str) -> timedelta:
    """Read a duration of the API, such as 1h30m; raises ValueError or TypeError for anything else."""
    if not re.fullmatch(r"([0-9]{1,5}[hms]){1,3}", text):
        raise ValueError("is no duration")
    return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in _PARTS.findall(text)))


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
