"""A status that is too large is cut before it is sent, because a status that etcd refuses freezes the last report. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from oidc_publisher.api import OIDCIssuerStatus, StatusKeyOrigin, to_status_json
from oidc_publisher.findings import Finding, Reason, clipped
from oidc_publisher.reconcile.status.findings import status_findings

#: etcd takes 1.5 MiB in one request (--max-request-bytes). The rest is for annotations (256 KiB at most) and the spec.
MAX_STATUS_BYTES = 1_200_000
#: In a status that is too large: the findings that are kept, and the length of what each says.
_FEW_FINDINGS, _SHORT = 8, 512
_LEFT_OUT = Finding.of(
    Reason.TooManyKeys,
    "The status has become too large for one object of the Kubernetes API: names of entries and the last findings are left out of it",
    subject="status",
)


def fitted(
    status: OIDCIssuerStatus, before: OIDCIssuerStatus, now: datetime
) -> tuple[OIDCIssuerStatus, dict[str, Any]]:
    """Return the status, cut until one object of the API takes it, and its JSON, which costs 10 ms in a full ledger.

    A finding says what was left out, and `before` says since when.

    What is left out is for people: names of entries (an origin without one stands for all entries of its source, which
    keeps a key at least as long), then the tail of the findings. No time and no key is.
    """
    whole = to_status_json(status)
    if stored_bytes(whole) <= MAX_STATUS_BYTES:
        return status, whole
    status = _without_entry_names(status)
    if stored_bytes(to_status_json(status)) > MAX_STATUS_BYTES:
        status = _with_few_findings(status)
    said = status_findings((_LEFT_OUT,), before.findings, now)
    cut = status.model_copy(update={"findings": (*status.findings, *said)})
    return cut, to_status_json(cut)


def stored_bytes(status: Mapping[str, Any]) -> int:
    """Estimate the bytes that the JSON of a status takes in the object, with the entry of each key in managedFields."""
    text = json.dumps(status)
    escaped = 5 * sum(map(text.count, "<>&"))  # Go writes them as \u003c and the like
    return len(text) + escaped + sum(map(_managed_bytes, status.get("keys", ())))


def _managed_bytes(key: Mapping[str, Any]) -> int:
    return 2 * len(json.dumps(key["keyID"])) + sum(len(name) + 8 for name in key)


def _without_entry_names(status: OIDCIssuerStatus) -> OIDCIssuerStatus:
    keys = tuple(
        key.model_copy(
            update={"origins": tuple(StatusKeyOrigin(source=s) for s in dict.fromkeys(o.source for o in key.origins))}
        )
        for key in status.keys
    )
    return status.model_copy(update={"keys": keys})


def _with_few_findings(status: OIDCIssuerStatus) -> OIDCIssuerStatus:
    findings = tuple(
        finding.model_copy(
            update={
                "message": clipped(finding.message, _SHORT),
                "advice": clipped(finding.advice, _SHORT) if finding.advice else None,
            }
        )
        for finding in status.findings[:_FEW_FINDINGS]
    )
    return status.model_copy(update={"findings": findings})
