"""Record events about an OIDCIssuer, which `kubectl describe` and `kubectl events` show."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from oidc_publisher.api import API_VERSION, KIND
from oidc_publisher.cluster.access import Right, grant
from oidc_publisher.cluster.failures import where_forbidden
from oidc_publisher.cluster.port import ClusterAPI
from oidc_publisher.errors import AnswerError
from oidc_publisher.findings import Reason

_CONTROLLER = "oidc-publisher.io/operator"
#: The namespace of events about cluster-scoped objects, where kubectl looks for them.
_NAMESPACE = "default"
#: What post_event needs.
RECORDING = Right("create", "events", group="events.k8s.io", namespace=_NAMESPACE)
_EVENTS = f"/apis/events.k8s.io/v1/namespaces/{_NAMESPACE}/events"
#: The limit of the API for a note (k8s.io/api/events/v1), in bytes. An event with a longer note is refused.
_NOTE_LENGTH_BYTES = 1024
#: The limit of a name (RFC 1123 subdomain).
_NAME_LENGTH = 253


async def post_event(
    client: ClusterAPI,
    issuer: Mapping[str, Any],
    *,
    name: str,
    reason: str,
    note: str,
    warning: bool,
    action: str,
    at: datetime,
) -> None:
    """Record one event about `issuer` (its metadata) under a name of its own (see event_name).

    `action` names in one word what the operator was doing. An event that the API server has already is recorded: the answer
    to an earlier try was lost.

    Raises:
        AnswerError: EventsForbidden when the operator may not create events.
        ClusterError: the event could not be recorded. Events are for people, so nothing may depend on them.
    """
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": _NAMESPACE},
        "eventTime": _micro_time(at),
        "reportingController": _CONTROLLER,
        "reportingInstance": "oidc-publisher",
        "action": action,
        "reason": reason,
        "type": "Warning" if warning else "Normal",
        "note": cut_note(note),
        "regarding": {"apiVersion": API_VERSION, "kind": KIND, "name": issuer["name"], "uid": issuer["uid"]},
    }
    try:
        await _sent(client, "POST", _EVENTS, body, "create")
    except AnswerError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise


def event_name(issuer: str) -> str:
    """Return a new name for an event about an issuer, which no other event has: 64 bits of it are random."""
    suffix = f".{secrets.token_hex(8)}"
    return issuer[: _NAME_LENGTH - len(suffix)].rstrip("-.") + suffix


async def repeat_event(client: ClusterAPI, name: str, *, count: int, at: datetime) -> None:
    """Make an event a series: the same has happened again, `count` times in all, the last time `at`.

    The API server keeps an event for an hour after its last change.

    Raises:
        ObjectMissingError: the API server does not have the event any more.
        ClusterError: the repetition could not be recorded.
    """
    series = {"series": {"count": count, "lastObservedTime": _micro_time(at)}}
    await _sent(client, "PATCH", f"{_EVENTS}/{name}", series, "patch")


async def _sent(client: ClusterAPI, method: str, path: str, body: Mapping[str, Any], verb: str) -> dict[str, Any]:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    message = f"The operator may not {verb} events in namespace {_NAMESPACE}"
    hint = grant(f"{verb} events (events.k8s.io) in namespace {_NAMESPACE}")
    with where_forbidden(Reason.EventsForbidden if verb == RECORDING.verb else None, message, hint=hint):
        return (await client.request(method, path, body=body, content_type=kind, timeout_s=5.0)).object()


def _micro_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def cut_note(note: str) -> str:
    """Cut a note to the API's limit, between two characters."""
    return note.encode()[:_NOTE_LENGTH_BYTES].decode(errors="ignore")
