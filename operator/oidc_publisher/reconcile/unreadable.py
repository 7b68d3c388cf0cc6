"""No pass is made over an object that this version cannot read, or that the operator may not read.

The status says so where the API server admits an object that this version cannot read, and its deletion waits for
nothing. A CRD of a newer version admits such objects, and so does RE2 in Go where RE2 in C++ refuses. Without that status
the last Ready would stand for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from oidc_publisher.api import (
    GROUP,
    PLURAL,
    RECONCILE_REQUESTED_AT,
    ObjectMeta,
    OIDCIssuerStatus,
    read_status,
    to_status_json,
)
from oidc_publisher.cluster import ClusterAPI, patch_finalizers, patch_status
from oidc_publisher.cluster.issuers import listed_issuer
from oidc_publisher.errors import AnswerError, ClusterError, InvalidObjectError
from oidc_publisher.findings import Finding, Reason, Severity
from oidc_publisher.reconcile.delete import FINALIZER, left
from oidc_publisher.reconcile.passes import Outcome
from oidc_publisher.reconcile.status.eventrecorder import EventRecorder
from oidc_publisher.reconcile.status.patch import status_patch
from oidc_publisher.reconcile.status.summary import refused
from oidc_publisher.timing.clock import Clock

_HINT = (
    f"Allow its ServiceAccount get, list and watch on {PLURAL}.{GROUP}, and patch on them and on {PLURAL}.{GROUP}/status; "
    "the Helm chart does so with rbac.create, and /readyz of the operator says which of these it lacks."
)
#: The default of spec.interval, since the spec cannot be read: a status that somebody overwrites is written again.
_AGAIN = timedelta(minutes=1)
_WHY_LEFT = "this version of oidc-publisher cannot read the object that was deleted"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An unreadable object has metadata and a status that are understood, and a spec that is not; `raw` is the object as stored."""

    raw: Mapping[str, Any]
    metadata: ObjectMeta
    status: OIDCIssuerStatus
    finding: Finding

    @classmethod
    def of(cls, raw: Mapping[str, Any], error: InvalidObjectError) -> Unreadable:
        """Return the object whose reading ended in `error`."""
        metadata = ObjectMeta(name=raw["metadata"]["name"], uid=raw["metadata"].get("uid") or "")
        return cls(raw, metadata, read_status(raw).status, error.finding())

    @property
    def mints(self) -> bool:
        """Whether the spec names an apiServer source, as far as the spec can be read; the default of keySources is one."""
        spec = self.raw.get("spec")
        sources = spec.get("keySources") if isinstance(spec, Mapping) else None
        if not isinstance(sources, list):
            return True
        return any(isinstance(source, Mapping) and "apiServer" in source for source in sources)


class Refusals:
    """Refusals reports unreadable objects, each refusal once."""

    def __init__(self, hub: ClusterAPI, clock: Clock, events: EventRecorder) -> None:
        self._hub = hub
        self._clock = clock
        self._events = events

    async def refuse(self, found: Unreadable) -> Outcome:
        """Report the object, or let the object go when somebody deletes it.

        Raises:
            ConflictError: the object was changed since it was read.
            ClusterError: it could not be written.
        """
        if found.raw["metadata"].get("deletionTimestamp") is not None:
            await self._let_go(found)
            return Outcome(follows={})
        wanted = refused_status(found, self._clock.now())
        patch = status_patch(found.raw.get("status") or {}, wanted)
        if patch:
            version = found.raw["metadata"]["resourceVersion"]
            await patch_status(self._hub, found.metadata.name, patch, version)
            await self._events.changed(found, read_status({"status": wanted}).status)
        return Outcome(wake_after=_AGAIN, follows={})

    async def _let_go(self, found: Unreadable) -> None:
        """Take our finalizer off. The documents stay, because the spec with its deletionPolicy cannot be read."""
        finalizers = found.raw["metadata"].get("finalizers") or ()
        if FINALIZER not in finalizers:
            return
        others = [name for name in finalizers if name != FINALIZER]
        await patch_finalizers(self._hub, found.metadata.name, others, found.raw["metadata"]["resourceVersion"])
        location = found.status.publication.location if found.status.publication else None
        if location:
            await self._events.happened(found, left(location, _WHY_LEFT))


def refused_status(found: Unreadable, now: datetime) -> dict[str, Any]:
    """Return the status of an unreadable object: each condition refuses, and all other members, the ledger too, stay.

    Members that only a newer version knows stay too.
    """
    generation = found.raw["metadata"].get("generation") or 0
    status = refused(found.status, found.finding, generation=generation, mints=found.mints, now=now)
    said = to_status_json(status)
    requested = (found.raw["metadata"].get("annotations") or {}).get(RECONCILE_REQUESTED_AT)
    handled = {} if requested is None else {"lastHandledReconcileAt": requested}
    changed = {name: said[name] for name in ("observedGeneration", "conditions", "findings")}
    return {**(found.raw.get("status") or {}), **changed, **handled}


@dataclass(frozen=True, slots=True)
class _Object:
    metadata: ObjectMeta
    status: OIDCIssuerStatus


class ForbiddenIssuers:
    """ForbiddenIssuers tells once of each issuer that the operator may not read or write, until the operator may.

    The status cannot tell, because the operator has no right to read or write the status.
    """

    def __init__(self, hub: ClusterAPI, events: EventRecorder) -> None:
        self._hub = hub
        self._events = events
        self._told: set[str] = set()

    def allowed(self, name: str) -> None:
        """Note that the issuer could be read and written."""
        self._told.discard(name)

    async def note(self, name: str, error: ClusterError, found: Mapping[str, Any] | None) -> None:
        """Tell of a failed request if the API server forbade the request; `found` is the object where it could be read."""
        if not isinstance(error, AnswerError) or error.status != HTTPStatus.FORBIDDEN or name in self._told:
            return
        self._told.add(name)
        uid = await self._uid_of(name) if found is None else str(found["metadata"]["uid"])
        message = f"The operator can do nothing for this OIDCIssuer: {error.message}"
        finding = Finding.of(Reason.WaitingForOperator, message, hint=_HINT, subject=name, severity=Severity.WARNING)
        await self._events.happened(_Object(ObjectMeta(name=name, uid=uid), OIDCIssuerStatus()), finding)

    async def _uid_of(self, name: str) -> str:
        """Return the UID, by which kubectl describe finds events; without the right to `get`, a list tells the UID."""
        try:
            found = await listed_issuer(self._hub, name)
        except ClusterError:
            return ""
        return str(found["metadata"]["uid"]) if found else ""
