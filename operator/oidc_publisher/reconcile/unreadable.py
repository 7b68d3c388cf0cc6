"""Objects that no pass can be made over: this version cannot read them, or the operator may not.

The status of an object that the API server admits and this version cannot read says so, and its deletion is let go.
A CRD of a newer version admits such objects, and so does RE2 in Go where RE2 in C++ refuses. Without a word the last
Ready would stand for ever.
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
    "/readyz of the operator says which of these it lacks."
)
#: The interval of an issuer that states none: a status that somebody overwrites is written again.
_AGAIN = timedelta(minutes=1)
_WHY_LEFT = "this version of oidc-publisher cannot read the object that was deleted"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object of which the metadata and the status are understood, and the spec is not; `raw` is as it is stored."""

    raw: Mapping[str, Any]
    metadata: ObjectMeta
    status: OIDCIssuerStatus
    finding: Finding

    @classmethod
    def of(cls, raw: Mapping[str, Any], error: InvalidObjectError) -> Unreadable:
        """What can be said of the object whose reading ended in `error`."""
        metadata = ObjectMeta(name=raw["metadata"]["name"], uid=raw["metadata"].get("uid") or "")
        return cls(raw, metadata, read_status(raw).status, error.finding())

    @property
    def mints(self) -> bool:
        """Whether the spec names an apiServer source, as far as one can see; the default is one."""
        spec = self.raw.get("spec")
        sources = spec.get("keySources") if isinstance(spec, Mapping) else None
        if not isinstance(sources, list):
            return True
        return any(isinstance(source, Mapping) and "apiServer" in source for source in sources)


class Refusals:
    """Says of unreadable objects what is to be said, and nothing twice."""

    def __init__(self, hub: ClusterAPI, clock: Clock) -> None:
        self._hub = hub
        self._clock = clock
        self._events = EventRecorder(hub, clock)

    async def refuse(self, found: Unreadable) -> Outcome:
        """Report the object, or let it go when it is being deleted.

        Raises:
            ConflictError: the object was changed since it was read.
            ClusterError: it could not be written.
        """
        if found.raw["metadata"].get("deletionTimestamp") is not None:
            await self._let_go(found)
            return Outcome(follows=())
        wanted = refused_status(found, self._clock.now())
        patch = status_patch(found.raw.get("status") or {}, wanted)
        if patch:
            version = found.raw["metadata"]["resourceVersion"]
            await patch_status(self._hub, found.metadata.name, patch, version)
            await self._events.changed(found, read_status({"status": wanted}).status)
        return Outcome(wake_after=_AGAIN, follows=())

    async def _let_go(self, found: Unreadable) -> None:
        """Take our finalizer off; the documents stay, for nobody knows what deletionPolicy would say of them."""
        finalizers = found.raw["metadata"].get("finalizers") or ()
        if FINALIZER not in finalizers:
            return
        others = [name for name in finalizers if name != FINALIZER]
        await patch_finalizers(self._hub, found.metadata.name, others, found.raw["metadata"]["resourceVersion"])
        location = found.status.publication.location if found.status.publication else None
        if location:
            await self._events.happened(found, left(location, _WHY_LEFT))


def refused_status(found: Unreadable, now: datetime) -> dict[str, Any]:
    """The status of an unreadable object: refused in each condition, and otherwise, the ledger above all, as it was.

    What this version does not know of a newer one's status stays too.
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
    """Tells of each issuer that may not be read or written, once until that is over.

    The status cannot tell it: without these rights nothing is read or written there.
    """

    def __init__(self, hub: ClusterAPI, clock: Clock) -> None:
        self._hub = hub
        self._events = EventRecorder(hub, clock)
        self._told: set[str] = set()

    def allowed(self, name: str) -> None:
        """Note that the issuer could be read and written."""
        self._told.discard(name)

    async def note(self, name: str, error: ClusterError, found: Mapping[str, Any] | None) -> None:
        """Tell of a request that failed, if it was forbidden; `found` is the object where it could be read."""
        if not isinstance(error, AnswerError) or error.status != HTTPStatus.FORBIDDEN or name in self._told:
            return
        self._told.add(name)
        uid = await self._uid_of(name) if found is None else str(found["metadata"]["uid"])
        message = f"The operator can do nothing for this OIDCIssuer: {error.message}"
        finding = Finding.of(Reason.WaitingForOperator, message, hint=_HINT, subject=name, severity=Severity.WARNING)
        await self._events.happened(_Object(ObjectMeta(name=name, uid=uid), OIDCIssuerStatus()), finding)

    async def _uid_of(self, name: str) -> str:
        """The UID, by which kubectl describe finds events; an operator that may list can learn it without `get`."""
        try:
            found = await listed_issuer(self._hub, name)
        except ClusterError:
            return ""
        return str(found["metadata"]["uid"]) if found else ""
