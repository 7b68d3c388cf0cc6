"""The ring in the Secret, what signers read besides it, and what they report."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest

from oidc_publisher.api.managed import read_ring
from oidc_publisher.signer.keeper import LostRaceError
from oidc_publisher.signer.kube import KubeApi, KubeRequestError, SecretRing, report_of, sight_of, write_report
from oidc_publisher.signer.kube.kubeapi import KubeAnswer
from oidc_publisher.signer.kube.ringreport import state_of
from oidc_publisher.signer.kube.sightings import intent_of
from oidc_publisher.signer.ring import RingIntent, choose
from oidc_publisher.signer.storage import RingUnreadableError, WrappingKey, to_secret
from tests.support.builders import issuer_of
from tests.support.rings import HOUR, NOW, issuer, key_id, ring_key, ring_of, sight

KEY = WrappingKey.from_file(b"k" * 32)
RING = ring_of(ring_key(2), ring_key(1, signed=NOW, imported=True))
SECRET = "/api/v1/namespaces/kube-system/secrets/oidc-publisher-signing-keys"
ISSUERS = "/apis/oidc-publisher.io/v1alpha1/oidcissuers"
DEFAULT = "/apis/oidc-publisher.io/v1alpha1/signingkeyrings/default"


@dataclass(slots=True)
class Server:
    """An API server of a few objects; `refusing` are statuses by path."""

    objects: dict[str, Any] = field(default_factory=dict)
    refusing: dict[str, int] = field(default_factory=dict)
    sent: list[tuple[str, str, Any]] = field(default_factory=list)

    def get(self, path: str) -> KubeAnswer:
        """Answer with an object."""
        status = self.refusing.get(path) or (None if path in self.objects else 404)
        if status:
            raise KubeRequestError(f"{status}", status)
        return KubeAnswer(self.objects[path], NOW)

    def send(self, method: str, path: str, body: Any, content_type: str = "") -> KubeAnswer:
        """Take an object."""
        del content_type
        self.sent.append((method, path, body))
        if path in self.refusing:
            raise KubeRequestError("refused", self.refusing[path])
        return KubeAnswer({}, NOW)

    @property
    def api(self) -> KubeApi:
        """The server in place of a connection to one."""
        return cast("KubeApi", self)


def secret(data: dict[str, bytes] | None, version: str = "7") -> dict[str, Any]:
    encoded = {name: base64.b64encode(value).decode() for name, value in (data or {}).items()}
    metadata = {"name": "oidc-publisher-signing-keys", "resourceVersion": version, "labels": {"a": "b"}}
    return {"metadata": metadata, "type": "Opaque", **({} if data is None else {"data": encoded})}


def test_the_ring_is_read_with_its_version() -> None:
    """And unwrapped only when it has changed: that costs a private key operation for each version."""
    server = Server({SECRET: secret(to_secret(RING, KEY))})
    ring = SecretRing(server.api, KEY)
    first = ring.read()
    assert first == (RING, "7")
    assert ring.read()[0] is first[0]
    server.objects[SECRET] = secret(to_secret(replace(RING, serial=2), KEY), "8")
    assert ring.read() == (replace(RING, serial=2), "8")


@pytest.mark.parametrize("data", [None, {}])
def test_an_empty_secret_and_none_are_no_ring(data: dict[str, bytes] | None) -> None:
    """They differ by the version, which decides how the ring is written."""
    assert SecretRing(Server({SECRET: secret(data)}).api, KEY).read() == (None, "7")
    assert SecretRing(Server().api, KEY).read() == (None, "")


def test_the_data_is_replaced_as_a_whole_under_its_version() -> None:
    """Everything else of the object stays as somebody made it."""
    server = Server({SECRET: secret({"ring.json": b"x", "old": b"y"})})
    ring = SecretRing(server.api, KEY)
    with pytest.raises(RingUnreadableError):
        ring.read()
    ring.replace(RING, "7")
    ((method, path, body),) = server.sent
    assert (method, path) == ("PUT", SECRET)
    assert (body["metadata"]["resourceVersion"], body["metadata"]["labels"], body["type"]) == (
        "7",
        {"a": "b"},
        "Opaque",
    )
    assert sorted(body["data"]) == ["000001.key", "000002.key", "ring.json", "ring.seal"]


@pytest.mark.parametrize(("status", "error"), [(409, LostRaceError), (404, LostRaceError), (403, KubeRequestError)])
def test_a_write_that_is_refused_is_a_lost_race_or_an_error(status: int, error: type[Exception]) -> None:
    """409: another signer was faster. 404: somebody deleted it in between."""
    server = Server({SECRET: secret(to_secret(RING, KEY))}, {})
    ring = SecretRing(server.api, KEY)
    ring.read()
    server.refusing[SECRET] = status
    with pytest.raises(error):
        ring.replace(RING, "7")


def test_a_secret_that_is_gone_is_made_anew_where_that_is_allowed() -> None:
    """RBAC cannot allow it for one name, so that the error says what a person does."""
    server = Server()
    SecretRing(server.api, KEY).replace(RING, "")
    assert server.sent[0][:2] == ("POST", SECRET.rpartition("/")[0])
    server.refusing[SECRET.rpartition("/")[0]] = 403
    with pytest.raises(RingUnreadableError, match="is gone; make an empty one, and this signer fills it"):
        SecretRing(server.api, KEY).replace(RING, "")


def documents(**spec: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = issuer_of(**spec).model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped


def test_issuers_and_intent_make_the_sight() -> None:
    """Issuers without a source of this cluster's API servers do not count; withdrawals of any issuer do."""
    other = documents(keySources=[{"configMap": {"namespace": "n", "name": "c"}}], rotation={"withdrawnKeyIDs": ["k"]})
    other["metadata"]["name"] = "other"
    server = Server({ISSUERS: {"items": [documents(), other]}, DEFAULT: {"spec": {"newestVersion": "3"}}})
    seen = sight_of(server.api, token_lifetime=HOUR, jitter=0.5)
    assert [view.name for view in seen.issuers] == ["prod"]
    assert (seen.withdrawn, seen.now, seen.intent) == (frozenset({"k"}), NOW, RingIntent(newest_version=3))
    server.objects[DEFAULT] = {"spec": {"issuers": ["other"]}}
    assert [view.name for view in sight_of(server.api, token_lifetime=HOUR, jitter=0).issuers] == ["other"]


def test_an_issuer_that_is_named_and_missing_keeps_everything_waiting() -> None:
    """Somebody deleted it, or mistyped its name: nobody can say that its relying parties know a version."""
    server = Server({ISSUERS: {"items": [documents()]}, DEFAULT: {"spec": {"issuers": ["prod", "gone"]}}})
    seen = sight_of(server.api, token_lifetime=HOUR, jitter=0)
    assert [(view.name, view.trouble) for view in seen.issuers][1] == ("gone", "does not exist")
    assert "OIDCIssuer" in seen.doubt


@pytest.mark.parametrize("status", [403, 404, 429, 503])
def test_what_may_not_be_read_permits_nothing(status: int) -> None:
    """Neither issuers nor intent; an API server that fails is an error, after which the disk has to do."""
    seen = sight_of(Server({}, {ISSUERS: status, DEFAULT: status}).api, token_lifetime=HOUR, jitter=0)
    assert (seen.issuers, seen.intent, seen.suspended) == ((), None, True)
    with pytest.raises(KubeRequestError):
        sight_of(Server({}, {ISSUERS: 500}).api, token_lifetime=HOUR, jitter=0)


@pytest.mark.parametrize(
    ("spec", "intent"),
    [
        ({}, RingIntent()),
        ({"suspend": True, "algorithm": "ES256"}, RingIntent("ES256", suspend=True)),
        ({"rotationPeriod": "72h", "trimBefore": "9"}, RingIntent(rotation_period=timedelta(hours=72), trim_before=9)),
        ({"rotationPeriod": "3 days"}, None),
        ({"newestVersion": "eleven"}, None),
        ({"newestVersion": ["11"]}, None),
    ],
)
def test_the_spec_is_read_or_nothing_begins(spec: dict[str, Any], intent: RingIntent | None) -> None:
    """As the models read it; the API server refuses most of the rest."""
    assert intent_of(spec) == intent


def test_the_report_is_what_the_models_say() -> None:
    """Every member has its place in the status, and no member is a key."""
    seen = sight(issuer(1, 2, signing=(1,)), signs=1, now=NOW + timedelta(seconds=59))
    choice = choose(RING, seen)
    report = report_of(choice, seen, node="a", api_server="10.0.0.1:6443", period=HOUR)
    document = {"apiVersion": "oidc-publisher.io/v1alpha1", "kind": "SigningKeyRing", "metadata": {"name": "default"}}
    status = read_ring(document | {"status": report}).status
    assert [(v.version, v.key_id, v.state, v.imported) for v in status.versions] == [
        ("2", key_id(2), "Allowed", None),
        ("1", key_id(1), "Signing", True),
    ]
    (signer,) = status.signers
    assert signer.max_token_lifetime == timedelta(hours=24)
    assert (signer.node, signer.api_server, signer.version, signer.last_seen_time) == ("a", "10.0.0.1:6443", "1", NOW)
    assert (status.highest, status.next_rotation_time) == ("2", NOW)
    assert [(c.type, c.status, c.reason) for c in status.conditions] == [
        ("Ready", "True", "Succeeded"),
        ("Rotating", "True", "Progressing"),
    ]
    assert status.conditions[1].message == "Version 2 begins to sign; a has not changed to it yet."


def test_a_finding_is_reported_by_its_reason() -> None:
    """In the signer's entry, and in the condition with its advice."""
    seen = sight(issuer(1, signing=(1,)), signs=1, intent=RingIntent(newest_version=99))
    report = report_of(choose(RING, seen), seen, node="a", api_server="h:1", period=None)
    assert report["signers"][0]["findings"] == ["ManagedRotationBlocked"]
    assert (report["conditions"][0]["status"], report["conditions"][0]["reason"]) == ("False", "ManagedRotationBlocked")


def test_states_are_the_first_that_match() -> None:
    """Withdrawn, VerifyOnly, Signing, Allowed, Waiting."""
    ring = ring_of(
        ring_key(5),
        ring_key(4),
        ring_key(3, signed=NOW),
        ring_key(2, signed=NOW, verify_only=NOW),
        ring_key(1, signed=NOW),
    )
    seen = sight(issuer(4, 3, signing=(3,)), signs=3, withdrawn=(1,))
    choice = choose(ring, seen)
    states = [state_of(key, choice, seen) for key in ring.keys]
    assert states == ["Waiting", "Allowed", "Signing", "VerifyOnly", "Withdrawn"]


def test_a_report_is_applied_under_the_signers_own_name() -> None:
    """So that each signer owns its entry."""
    server = Server()
    write_report(server.api, "a", {"highest": "2"})
    method, path, body = server.sent[0]
    assert (method, body["status"]) == ("PATCH", {"highest": "2"})
    assert path == f"{DEFAULT}/status?fieldManager=oidc-publisher-signer-a&force=true"


def test_the_name_of_a_node_may_be_long() -> None:
    """An API server refuses a manager of more than 128 bytes; two long names that begin alike stay two."""
    server = Server()
    for node in ("n" * 106, "n" * 107, "n" * 252 + "a", "n" * 252 + "b"):
        write_report(server.api, node, {})
    managers = [path.partition("fieldManager=")[2].partition("&")[0] for _, path, _ in server.sent]
    assert managers[0] == f"oidc-publisher-signer-{'n' * 106}"
    assert [len(manager) for manager in managers] == [128] * 4
    assert len(set(managers)) == 4
