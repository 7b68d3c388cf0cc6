"""Write the one line that a pass has in the log: at info level where the pass did something, else at debug level."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from oidc_publisher.reconcile.passes import PassDone

log = structlog.stdlib.get_logger(__name__)

MESSAGE = "The pass has ended."

#: The members of the line beside those that every line has, with what they mean; docs/reference/logs.md is made from this.
FIELDS: Mapping[str, str] = {
    "issuer": "Name of the OIDCIssuer.",
    "generation": "metadata.generation of the object that the pass worked on.",
    "changed": (
        "What the pass changed: `generation` (a new one was acted upon), `conditions`, `findings`, `keys` (a key came, left "
        "or has another state), `publication`, `documents` (written to the store), `finalizers`. Empty at rest."
    ),
    "ready": "Status and reason of the condition Ready after the pass, as `True/Proven`.",
    "findings": "Reasons of the findings after the pass, each with its subject, root cause first.",
    "events": "Reasons of the events of the pass, such as `KeySafe` or `DriftRepaired`.",
    "failed": "Whether the pass failed, so that it comes again after a backoff.",
    "steps_ms": "Duration of each step in milliseconds: `read`, `plan`, `publish`, `prove`, `report`.",
    "took_ms": "Duration of the whole pass in milliseconds.",
    "next_look_s": "Seconds until the next pass, null where the clock alone brings none. A failed pass comes again sooner.",
    "requests": (
        "Requests of the pass to clouds that wrote or failed: operation, HTTP status and the request IDs that the support of "
        "the cloud asks for (`x-amz-request-id`, `x-amz-id-2`, `x-guploader-uploadid`)."
    ),
}


def log_pass(done: PassDone, requests: Sequence[str] = ()) -> None:
    """Log the pass; `requests` are the requests to clouds that telemetry/cloudrequests.py has collected."""
    did = bool(done.changes or done.events)
    log.log(logging.INFO if did else logging.DEBUG, MESSAGE, **_members(done, requests))


def _members(done: PassDone, requests: Sequence[str]) -> dict[str, Any]:
    """Return a value for each of FIELDS."""
    status = done.issuer.status
    return {
        "issuer": done.issuer.metadata.name,
        "generation": done.issuer.metadata.generation,
        "changed": [*done.changes],
        "ready": next((f"{c.status}/{c.reason}" for c in status.conditions if c.type == "Ready"), None),
        "findings": [f"{f.reason} ({f.subject})" if f.subject else f.reason for f in status.findings],
        "events": [str(event.reason) for event in done.events],
        "failed": done.failed,
        "steps_ms": {step.value: round(seconds * 1000, 1) for step, seconds in done.seconds.items()},
        "took_ms": round(done.took_s * 1000, 1),
        "next_look_s": None if done.next_look_s is None else round(done.next_look_s, 1),
        "requests": [*requests],
    }
