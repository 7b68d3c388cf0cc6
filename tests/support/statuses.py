"""Build an issuer in the middle of a rotation, as the API server stores it; tests change single members."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from oidc_publisher.api import OIDCIssuer, format_time, read_issuer

NOW = datetime(2026, 2, 1, 12, 0, 47, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
NEW, OLD, GONE = "newKeyIDabcdefghijklmnop", "oldKeyIDabcdefghijklmnop", "goneKeyIDabcdefghijklmno"

Object = dict[str, Any]


def ago(distance: timedelta) -> str:
    """A time before NOW, as the API writes it."""
    return format_time(NOW - distance)


def condition(kind: str, status: str, reason: str, message: str = "As it should be.") -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": ago(300 * HOUR),
        "observedGeneration": 3,
    }


def key(key_id: str, state: str, **members: Any) -> Object:
    known = {"publishedTime": ago(400 * HOUR), "servedSinceTime": ago(400 * HOUR), "origins": [{"source": "cluster"}]}
    return {"keyID": key_id, "version": "7", "algorithm": "ES256", "state": state} | known | members


def issuer_object(**status: Any) -> Object:
    """A Ready issuer: OLD signs and is safe, NEW is served since three hours, GONE retires."""
    return {
        "apiVersion": "oidc-publisher.io/v1alpha1",
        "kind": "OIDCIssuer",
        "metadata": {"name": "prod", "uid": "u-1", "generation": 3, "resourceVersion": "1"},
        "spec": {
            "issuerURL": "https://example-oidc.s3.eu-central-1.amazonaws.com/prod",
            "store": {"s3": {"bucket": "example-oidc", "region": "eu-central-1", "prefix": "prod"}},
        },
        "status": {
            "observedGeneration": 3,
            "lastProvenTime": ago(47 * SECOND),
            "publication": {"location": "s3://example-oidc/prod", "keyCount": 3, "lastChangeTime": ago(3 * HOUR)},
            "conditions": [
                condition("Ready", "True", "Proven"),
                condition("KeysRead", "True", "Succeeded"),
                condition("Published", "True", "Succeeded"),
                condition("Served", "True", "Succeeded"),
                condition("SafeToSign", "False", "PrePublishing"),
            ],
            "findings": [],
            "keys": [
                key(NEW, "Served", version="8", servedSinceTime=ago(3 * HOUR), safeToSignTime=ago(-21 * HOUR)),
                key(OLD, "Signing", safeToSignTime=ago(376 * HOUR), safeSinceTime=ago(376 * HOUR)),
                key(
                    GONE, "Retiring", version="6", origins=[], unusedSinceTime=ago(20 * HOUR), retireTime=ago(-4 * HOUR)
                ),
            ],
            "ledger": {
                "endpoints": [{"address": "10.0.0.1:6443", "keyID": OLD}, {"address": "10.0.0.2:6443", "keyID": OLD}]
            },
            **status,
        },
    }


def issuer(*, spec: Object | None = None, metadata: Object | None = None, **status: Any) -> OIDCIssuer:
    """`issuer_object` as the commands read it."""
    obj = issuer_object(**status)
    obj["spec"] |= spec or {}
    obj["metadata"] |= metadata or {}
    return read_issuer(obj)
