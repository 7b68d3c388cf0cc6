"""An issuer on a real S3 server, read over real TLS, and tokens of real kube-apiservers against what is served."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oidc_publisher.api import RelyingParty
from oidc_publisher.documents import discovery_document, jwks_document, jwks_uri
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe import (
    Expected,
    HTTPSWire,
    Judgement,
    Look,
    Target,
    Wire,
    judge,
    judge_review,
    judge_token,
    look,
    read_token,
    verifies,
    wire_reading,
)
from oidc_publisher.rotation import WireReading
from tests.support import faults
from tests.support.controlplane import ControlPlane
from tests.support.edge import Edge
from tests.support.faults import Fault
from tests.support.loopback import localhost_addresses
from tests.support.pki import PKI, Certificate
from tests.support.s3server import S3Server
from tests.support.signingkeys import SigningKey, signing_key

AUDIENCE = "sts.amazonaws.com"
HEADERS = {"ContentType": "application/json", "CacheControl": "public, max-age=300"}
BUCKETS = (f"probe-{number}" for number in itertools.count())


def public(key: SigningKey) -> PublicKey:
    return PublicKey.from_pem(key.public_pem.decode())


@dataclasses.dataclass
class Issuer:
    """An issuer whose documents lie in a bucket of its own."""

    s3: S3Server
    edge: Edge
    bucket: str
    keys: tuple[PublicKey, ...]

    @property
    def url(self) -> str:
        """The issuer URL, through the edge."""
        return self.edge.public_url(self.bucket, "prod")

    @property
    def expected(self) -> Expected:
        """What it should look like."""
        return Expected(
            issuer_url=self.url,
            jwks_uri=jwks_uri(self.url, "openid/v1/jwks"),
            keys=self.keys,
            algorithms=frozenset({"RS256", "ES256"}),
            cache_max_age=dt.timedelta(minutes=5),
            relying_parties=(RelyingParty.KUBERNETES, RelyingParty.VAULT),
        )

    def publish(self, *keys: PublicKey) -> None:
        """Write both documents as the operator does."""
        uri = jwks_uri(self.url, "openid/v1/jwks")
        self.s3.put(self.bucket, "prod/openid/v1/jwks", jwks_document(keys), **HEADERS)
        self.s3.put(
            self.bucket, "prod/.well-known/openid-configuration", discovery_document(self.url, uri, []), **HEADERS
        )

    async def seen(
        self,
        *,
        timeout: dt.timedelta = dt.timedelta(seconds=5),  # noqa: ASYNC109 - the probe's
        stranger: Wire | None = None,
        **settings: Any,
    ) -> Look:
        """Look at it."""
        ca = self.s3.pki.ca_pem.decode()
        wire = HTTPSWire(**{"certificate_authority": ca, "allow_private_address": True, **settings})
        target = Target(self.url, jwks_uri(self.url, "openid/v1/jwks"), timeout)
        return await look(target, wire, stranger=stranger)

    async def proven(self, *, expected: Expected | None = None, **settings: Any) -> Judgement:
        """Look at it and judge."""
        return judge(await self.seen(**settings), self.expected if expected is None else expected)

    def on_wire(self, seen: Look) -> WireReading | None:
        """What the rotation may conclude."""
        return wire_reading(seen, issuer_url=self.url, jwks_uri=self.expected.jwks_uri)

    async def reasons(self, **settings: Any) -> list[str]:
        """Look at it and name what is wrong."""
        return sorted({finding.reason.value for finding in (await self.proven(**settings)).findings})


@pytest.fixture
def issuer(s3: S3Server, edge: Edge) -> Iterator[Issuer]:
    """Publish one EC key."""
    bucket = s3.create_bucket(next(BUCKETS))
    made = Issuer(s3, edge, bucket, (public(signing_key("P-256", "control-plane")),))
    made.publish(*made.keys)
    s3.allow_anonymous_read(bucket)
    yield made
    edge.heal()


async def test_a_published_issuer_is_proven(issuer: Issuer) -> None:
    """Four requests over two connections, nothing wrong, and the clock of the host beside ours."""
    issuer.edge.forget_requests()
    seen = await issuer.seen()
    judgement, wire = judge(seen, issuer.expected), issuer.on_wire(seen)
    assert judgement.findings == ()
    assert judgement.achieved
    assert (judgement.issuer_url, judgement.jwks_uri) == (issuer.url, jwks_uri(issuer.url, "openid/v1/jwks"))
    assert wire is not None
    assert wire.reads == (frozenset(issuer.keys),) * 2
    assert wire.max_age == dt.timedelta(minutes=5)
    assert issuer.edge.count("GET") == 4
    assert issuer.edge.count() == 4


async def test_what_the_operator_alone_can_read_is_no_issuer_for_a_cloud(issuer: Issuer) -> None:
    """A loopback address and a CA of our own, allowed both: good for a cluster next door, named for AWS."""
    parties = (RelyingParty.AWS, RelyingParty.KUBERNETES)
    expected = dataclasses.replace(issuer.expected, relying_parties=parties)
    judgement = await issuer.proven(stranger=HTTPSWire(allow_private_address=True), expected=expected)
    broken = [f for f in judgement.findings if f.reason is Reason.RelyingPartyRuleBroken]
    assert {f.subject for f in broken} == {"AWS"}
    said = " ".join(f.message for f in broken)
    assert any(f"private address {address}" in said for address in localhost_addresses())
    assert any("which is no trusted root" in f.message for f in broken)
    assert not judgement.achieved


FAULTS: dict[str, tuple[str, Fault, list[str]]] = {
    "html error page": ("", faults.html_error_page(), ["CacheControlWrong", "DocumentInvalid", "HeadersWrong"]),
    "bom": ("openid-configuration", faults.with_bom(), ["DocumentInvalid"]),
    "duplicate members": ("jwks", faults.duplicate_members(), ["DocumentInvalid"]),
    "oversized": ("jwks", faults.oversize(), ["DocumentInvalid"]),
    "wrong issuer": ("openid-configuration", faults.wrong_issuer("https://other"), ["IssuerMismatch"]),
    "redirect": ("", faults.redirect("https://elsewhere.test/?signature=1"), ["Redirected"]),
    "server error": ("", faults.s3_error(500), ["UnexpectedStatus"]),
    "wrong region": ("", faults.s3_error(301), ["Redirected"]),
    "no cache control": ("jwks", faults.header("Cache-Control", None), ["CacheControlWrong"]),
    "octet stream": (
        "openid-configuration",
        faults.header("Content-Type", "application/octet-stream"),
        ["HeadersWrong"],
    ),
    "truncated": ("jwks", faults.truncated(), ["ConnectionFailed"]),
    "reset": ("", faults.reset(), ["ConnectionFailed"]),
    "reset in the body": ("", faults.reset(5), ["ConnectionFailed"]),
    "slow headers": ("", faults.delayed(3), ["TooSlow"]),
    "trickle": ("", faults.trickled(), ["TooSlow"]),
    "one bad answer of two": (
        "jwks",
        faults.alternating(faults.passed_on, faults.s3_error(404)),
        [],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_misbehaving_edge_is_named(name: str, issuer: Issuer) -> None:
    """Each defect by its own reason, with a real server's answers beside it."""
    path, fault, expected = FAULTS[name]
    issuer.edge.misbehave(path, fault)
    assert await issuer.reasons(timeout=dt.timedelta(seconds=1)) == expected


async def test_one_failure_is_no_failure(issuer: Issuer) -> None:
    """A second try at once decides."""
    issuer.edge.misbehave("jwks", faults.s3_error(503), times=1)
    assert await issuer.reasons() == []


async def test_edges_that_differ_disagree(issuer: Issuer) -> None:
    """One of them has kept the set from before the key was added."""
    path = f"/{issuer.bucket}/prod/openid/v1/jwks"
    old = issuer.edge.fetch(path)
    issuer.keys = (public(signing_key("P-256", "new")), *issuer.keys)
    issuer.publish(*issuer.keys)
    issuer.edge.misbehave(path, faults.alternating(faults.passed_on, faults.fixed(old)))
    assert await issuer.reasons() == ["AnswersDisagree"]
    issuer.edge.misbehave(path, faults.fixed(old))
    judgement = await issuer.proven()
    assert [finding.reason for finding in judgement.findings] == [Reason.StaleCopy]
    assert issuer.keys[0].key_id in judgement.findings[0].message


async def test_a_bucket_that_nobody_may_read_is_blocked(issuer: Issuer, s3: S3Server) -> None:
    """And an empty one is not found, or blocked: S3 tells only those who may list."""
    s3.block_anonymous_read(issuer.bucket)
    seen = await issuer.seen()
    assert {finding.reason for finding in judge(seen, issuer.expected).findings} == {Reason.AccessBlocked}
    assert issuer.on_wire(seen) is None
    s3.allow_anonymous_read(issuer.bucket)
    for key in s3.keys(issuer.bucket):
        s3.delete(issuer.bucket, key)
    judgement = await issuer.proven()
    assert {finding.reason for finding in judgement.findings} <= {Reason.DocumentNotFound, Reason.AccessBlocked}


CERTIFICATES: dict[str, tuple[Callable[[PKI], Certificate], str]] = {
    "expired": (PKI.expired, "CertificateExpired"),
    "not yet valid": (PKI.not_yet_valid, "CertificateExpired"),
    "other name": (lambda pki: pki.serving("other.test"), "CertificateNameMismatch"),
    "self-signed": (PKI.self_signed, "CertificateUntrusted"),
    "unknown CA": (PKI.untrusted, "CertificateUntrusted"),
    "soon expired": (lambda pki: pki.expiring(dt.timedelta(days=3)), "CertificateExpiring"),
}


@pytest.mark.parametrize("name", CERTIFICATES)
async def test_the_certificate_of_the_host_is_judged(name: str, issuer: Issuer, pki: PKI) -> None:
    """As a relying party with the same roots does."""
    make, reason = CERTIFICATES[name]
    issuer.edge.serve_with(make(pki))
    assert await issuer.reasons() == [reason]


async def test_a_host_with_tls_1_3_alone_is_told_apart(issuer: Issuer, pki: PKI) -> None:
    """Its keys are on the wire all the same, but not for every party."""
    issuer.edge.serve_with(pki.serving(), minimum=ssl.TLSVersion.TLSv1_3)
    judgement = await issuer.proven()
    assert {finding.reason for finding in judgement.findings} == {Reason.TLSVersionUnsupported}
    assert judgement.jwks is not None


async def test_loopback_is_private_unless_allowed(issuer: Issuer) -> None:
    """No cloud reaches it, and no connection is made."""
    issuer.edge.forget_requests()
    assert await issuer.reasons(allow_private_address=False) == ["PrivateAddress"]
    assert issuer.edge.count() == 0


# --- tokens -------------------------------------------------------------------------------------------------------------


def token_findings(token: str, jwks: bytes | None, issuer_url: str, **changes: Any) -> list[Reason]:
    settings: dict[str, Any] = {
        "endpoint": "api",
        "fetched_jwks": jwks,
        "issuer_url": issuer_url,
        "audience": AUDIENCE,
        "now": dt.datetime.now(dt.UTC),
        "clock_skew": dt.timedelta(minutes=5),
    }
    return [finding.reason for finding in judge_token(token, **{**settings, **changes})]


def reviewed(control_plane: ControlPlane, token: str) -> tuple[bool, str]:
    """Let the API server that minted a token judge it."""
    spec = {"token": token, "audiences": [AUDIENCE]}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    status = control_plane.json("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body, index=0)["status"]
    return bool(status.get("authenticated")), str(status.get("error", ""))


async def test_a_real_token_verifies_against_the_served_bytes(issuer: Issuer, control_plane: ControlPlane) -> None:
    """The whole chain: a cluster that names the issuer, its token, the bytes that the world reads."""
    control_plane.create_service_account("default", "probe")
    key = signing_key("P-256", "control-plane")
    with control_plane.restored():
        control_plane.restart(0, dataclasses.replace(control_plane.configs[0], issuers=(issuer.url,)))
        token = control_plane.mint_token(0, "default", "probe", AUDIENCE, 600)
        jwks = (await issuer.proven()).jwks
        assert token_findings(token, jwks, issuer.url) == []
        assert reviewed(control_plane, token) == (True, "")
        assert judge_review("api", authenticated=True) is None
    facts = read_token(token)
    assert (facts.key_id, facts.algorithm, facts.audiences) == (key.kid, "ES256", (AUDIENCE,))
    assert facts.issued_at is not None
    assert facts.expires_at == facts.issued_at + dt.timedelta(minutes=10)
    assert verifies(token, public(key))


async def test_a_token_of_another_issuer_is_named(issuer: Issuer, control_plane: ControlPlane) -> None:
    """The cluster of the test run signs for another one."""
    control_plane.create_service_account("default", "probe")
    token = control_plane.mint_token(0, "default", "probe", AUDIENCE, 600)
    jwks = (await issuer.proven()).jwks
    assert token_findings(token, jwks, issuer.url) == [Reason.WrongIssuerInToken]


async def test_a_signing_key_missing_in_the_key_files_is_rejected_by_its_own_server(
    issuer: Issuer, control_plane: ControlPlane
) -> None:
    """The prime negative case: the API server mints tokens that it refuses itself, and nobody serves the key."""
    control_plane.create_service_account("default", "probe")
    new = signing_key("RSA-2048", "not-in-the-key-files")
    old = signing_key("P-256", "control-plane")
    with control_plane.restored():
        config = dataclasses.replace(
            control_plane.configs[0], signing_key=new, key_files=(old.public_pem,), issuers=(issuer.url,)
        )
        control_plane.restart(0, config)
        token = control_plane.mint_token(0, "default", "probe", AUDIENCE, 600)
        authenticated, error = reviewed(control_plane, token)
    finding = judge_review("api", authenticated=authenticated, error=error)
    assert finding is not None
    assert finding.reason is Reason.TokenRejectedByAPIServer
    assert token_findings(token, (await issuer.proven()).jwks, issuer.url) == [Reason.SigningKeyNotServed]
