"""Read what a signer decides by, and write what people see of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from oidc_publisher.signer.kube.kubeapi import APPLY, KubeAnswer, KubeApi, KubeRequestError
from oidc_publisher.signer.ring import IssuerView, RingIntent, RingObject, Sight, view_of
from oidc_publisher.signer.ring.issuerview import read_duration

_GROUP = "/apis/oidc-publisher.io/v1alpha1"
#: All issuers.
ISSUERS_PATH = f"{_GROUP}/oidcissuers"
#: The one SigningKeyRing.
RING_PATH = f"{_GROUP}/signingkeyrings/default"
#: An API server that has just started answers 429 for kinds of a CustomResourceDefinition ("storage is (re)initializing"),
#: for seconds on a busy node. The Secret can be read by then, for which the first signature waits (S10).
_NOT_THERE = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

#: metav1.validation.FieldManagerMaxLength, and what of a longer name stands before the hash that tells it from others.
_LONGEST_MANAGER, _MANAGER_KEPT = 128, 112


def sight_of(api: KubeApi, *, token_lifetime: timedelta, jitter: float) -> Sight:
    """Return what the issuers and the SigningKeyRing say now. Without a SigningKeyRing nothing new begins.

    Where the issuers may not be read, or do not exist, there are none, and no version is allowed.

    Raises KubeRequestError when the API server does not answer.
    """
    answer = _if_there(api, ISSUERS_PATH)
    ring = _if_there(api, RING_PATH)
    spec = None if ring is None else ring.document.get("spec", {})
    views = [view_of(document) for document in (answer.document.get("items") or () if answer else ())]
    return Sight(
        answer.time if answer else datetime.now(UTC).replace(microsecond=0),
        _counted(views, spec.get("issuers") if spec else None),
        None if spec is None else intent_of(spec),
        frozenset().union(*(view.withdrawn for view in views)),
        jitter=jitter,
        token_lifetime=token_lifetime,
        seen=RingObject() if ring is None else _seen(ring.document),
    )


def _seen(document: Mapping[str, Any]) -> RingObject:
    return RingObject(int(document.get("metadata", {}).get("generation", 0)), document.get("status") or {})


def _counted(views: Iterable[IssuerView], named: Iterable[str] | None) -> tuple[IssuerView, ...]:
    """Return the issuers that a version waits for. One that is named and does not exist keeps it waiting."""
    if named is None:
        return tuple(view for view in views if view.api_sources)
    known = {view.name: view for view in views}
    return tuple(known.get(name, IssuerView(name, "does not exist")) for name in named)


def intent_of(spec: Mapping[str, Any]) -> RingIntent | None:
    """Read spec of SigningKeyRing; None for one that cannot be read, in which case nothing new begins."""
    try:
        period, newest, trim = (spec.get(name) for name in ("rotationPeriod", "newestVersion", "trimBefore"))
        return RingIntent(
            str(spec.get("algorithm", "RS256")),
            None if period is None else read_duration(period),
            None if newest is None else int(newest),
            None if trim is None else int(trim),
            suspend=spec.get("suspend") is True,
        )
    except (TypeError, ValueError):
        return None


def _if_there(api: KubeApi, path: str) -> KubeAnswer | None:
    try:
        return api.get(path)
    except KubeRequestError as error:
        if error.status in _NOT_THERE:
            return None
        raise


def write_report(api: KubeApi, node: str, status: Mapping[str, Any]) -> None:
    """Apply this signer's part of the status of SigningKeyRing; raises KubeRequestError."""
    body = {
        "apiVersion": "oidc-publisher.io/v1alpha1",
        "kind": "SigningKeyRing",
        "metadata": {"name": "default"},
        "status": status,
    }
    api.send("PATCH", f"{RING_PATH}/status?fieldManager={quote(_manager(node))}&force=true", body, APPLY)


def _manager(node: str) -> str:
    """Return the name under which a signer applies. Names of nodes may be longer than an API server lets it be."""
    name = f"oidc-publisher-signer-{node}"
    return name if len(name) <= _LONGEST_MANAGER else f"{name[:_MANAGER_KEPT]}{sha256(node.encode()).hexdigest()[:16]}"
