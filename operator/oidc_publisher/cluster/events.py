"""Record events about an OIDCIssuer, which `kubectl describe` and `kubectl events` show."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from oidc_publisher.api import API_VERSION, KIND
from oidc_publisher.cluster.access import Right, grant
from oidc_publisher.cluster.failures import with_reason
from oidc_publisher.cluster.port import ClusterAPI
from oidc_publisher.errors import AnswerError
from oidc_publisher.findings import Reason

_CONTROLLER = "oidc-publisher.io/operator"
#: The namespace of events about cluster-scoped objects, where kubectl looks for them.
_NAMESPACE = "default"
#: What post_event needs.
RECORDING = Right("create", "events", group="events.k8s.io", namespace=_NAMESPACE)
#: The limit of the API for a note (k8s.io/api/events/v1), in bytes. An event with a longer note is refused.
_NOTE_LENGTH_BYTES = 1024


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
    """Record one event about `issuer` (its metadata); `action` names in one word what the operator was doing.

    Raises:
        AnswerError: EventsForbidden when the operator may not create events.
        ClusterError: the event could not be recorded. Events are for people, so nothing may depend on them.
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
        "note": cut_note(note),
        "regarding": {"apiVersion": API_VERSION, "kind": KIND, "name": issuer["name"], "uid": issuer["uid"]},
    }
    path = f"/apis/events.k8s.io/v1/namespaces/{_NAMESPACE}/events"
    try:
        await client.request("POST", path, body=body, timeout_s=5.0)
    except AnswerError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        message = f"The operator may not create events in namespace {_NAMESPACE}"
        hint = grant(f"create events (events.k8s.io) in namespace {_NAMESPACE}")
        raise with_reason(error, Reason.EventsForbidden, message, hint=hint) from error


def cut_note(note: str) -> str:
    """Cut a note to the API's limit, between two characters."""
    return note.encode()[:_NOTE_LENGTH_BYTES].decode(errors="ignore")
