"""What the tests on places, their owners and their documents share."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.stage import BUCKET, PREFIX, Stage, condition

JWKS = f"{PREFIX}/openid/v1/jwks"
DISCOVERY = f"{PREFIX}/.well-known/openid-configuration"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
OWNER = "oidc-publisher-owner"
#: Long enough for several looks at the test's interval of 2 s.
SEVERAL_LOOKS_S = 7.0


@contextmanager
def emptied(stage: Stage) -> Iterator[Stage]:
    """The stage, and afterwards no issuer, no document, no event and no fault on it."""
    try:
        yield stage
    finally:
        stage.edge.heal()
        for item in stage.cluster.list_all("oidc-publisher.io/v1alpha1", "OIDCIssuer"):
            name = item["metadata"]["name"]
            stage.cluster.patch(
                "oidc-publisher.io/v1alpha1", "OIDCIssuer", name, {"spec": {"deletionPolicy": "Retain"}}
            )
            stage.cluster.kubectl("delete", f"oidci/{name}", "--wait=true", "--timeout=20s")
        for key in stage.s3.keys(BUCKET):
            stage.s3.delete(BUCKET, key)
        stage.cluster.request("DELETE", EVENTS)


def published(stage: Stage, key: str = JWKS) -> set[str]:
    """Key IDs of the stored set."""
    body = stage.s3.get(BUCKET, key)
    assert body is not None, "the key set is gone"
    return {member["kid"] for member in json.loads(body)["keys"]}


def served(stage: Stage, name: str = PREFIX) -> set[str]:
    """Key IDs at the public URL of the issuer with that prefix; empty where there is no set."""
    url, context = f"{stage.edge.public_url(BUCKET, name)}/openid/v1/jwks", stage.pki.client_context()
    try:
        with urllib.request.urlopen(url, context=context, timeout=5) as answer:  # noqa: S310 - https
            return {key["kid"] for key in json.load(answer)["keys"]}
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return set()
        raise


def wait_served(stage: Stage, name: str, *kids: str, within_s: float = 5.0) -> float:
    """Wait until exactly these are served, and return the seconds that took."""
    began = time.monotonic()
    while (seen := served(stage, name)) != set(kids):
        assert time.monotonic() - began < within_s, f"{seen} and not {kids}\n{stage.operator.log()[-3000:]}"
        time.sleep(0.01)
    return time.monotonic() - began


def owners(stage: Stage) -> set[str]:
    """The names in the owner marks of both documents, without the cluster's; empty for an absent mark."""
    found = (stage.s3.get_object(BUCKET, key) for key in (JWKS, DISCOVERY))
    return {f["Metadata"].get(OWNER, "").rpartition("/")[2] for f in found if f is not None}


def events(stage: Stage, reason: str, name: str = "prod") -> list[dict[str, Any]]:
    """The events of one reason about one issuer, whenever its object was made."""
    found = stage.cluster.json("GET", EVENTS)["items"]
    return [e for e in found if e["reason"] == reason and e["regarding"]["name"] == name]


def event(stage: Stage, reason: str, name: str = "prod") -> dict[str, Any]:
    """The one event of a reason, which comes a moment after the status that it belongs to."""
    until(lambda: events(stage, reason, name), f"event {reason}", timeout_s=5)
    (only,) = events(stage, reason, name)
    return only


def patch(stage: Stage, name: str = "prod", **spec: Any) -> None:
    """Change fields of an issuer's spec."""
    stage.cluster.patch("oidc-publisher.io/v1alpha1", "OIDCIssuer", name, {"spec": spec})


def exists(stage: Stage, name: str = "prod") -> bool:
    """Whether the object is there."""
    return stage.cluster.exists("oidc-publisher.io/v1alpha1", "OIDCIssuer", name)


def message(found: dict[str, Any], kind: str) -> str:
    """The message of a condition."""
    return next(str(c["message"]) for c in found["status"]["conditions"] if c["type"] == kind)


def wait_published(stage: Stage, name: str = "prod") -> dict[str, Any]:
    """Wait until an issuer has published; its tokens may still be on their way."""
    return stage.wait(lambda s: condition(s, "Published") == "True", what="Published", name=name)


def key_of(status: dict[str, Any], kid: str) -> dict[str, Any]:
    """One key of the ledger in a status."""
    found: dict[str, Any] = next(key for key in status["keys"] if key["keyID"] == kid)
    return found


def until(holds: Callable[[], object], what: str, timeout_s: float = 15.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.05)
