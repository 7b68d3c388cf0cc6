"""Events about an OIDCIssuer, as `kubectl describe` and `kubectl events` show them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from oidc_publisher.api import API_VERSION, KIND
from oidc_publisher.cluster.port import ClusterAPI

_CONTROLLER = "oidc-publisher.io/operator"
#: Events of cluster-scoped objects are kept in this namespace: where kubectl looks for them.
_NAMESPACE = "default"
#: Limits of the API (k8s.io/api/events/v1).
_NOTE_LENGTH = 1024


async def post_event(
    client: ClusterAPI,
    issuer: Mapping[str, Any],
    *,
    reason: str,
    note: str,
    warning: bool,
    action: str,
    at: datetime,
) -> None:
    """Record one event about `issuer` (its metadata); `action` says in one word what the operator was doing.

    Raises:
        ClusterError: it could not be recorded. Events are for people: nothing may depend on them.
    """
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": f"{issuer['name']}-", "namespace": _NAMESPACE},
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": _CONTROLLER,
        "reportingInstance": "oidc-publisher",
        "action": action,
        "reason": reason,
        "type": "Warning" if warning else "Normal",
        "note": note[:_NOTE_LENGTH],
        "regarding": {"apiVersion": API_VERSION, "kind": KIND, "name": issuer["name"], "uid": issuer["uid"]},
    }
    await client.request("POST", f"/apis/events.k8s.io/v1/namespaces/{_NAMESPACE}/events", body=body, timeout_s=5.0)
