"""Issuers, tokens and readiness, where an API server says what a real one seldom does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oidc_publisher.cluster import (
    TokenReview,
    get_issuer,
    kube_system_uid,
    mint_token,
    patch_status,
    review_token,
)
from oidc_publisher.cluster.client import ClusterClient
from oidc_publisher.errors import AnswerError, UnreachableError
from oidc_publisher.findings import Reason
from tests.support.apistub import Handler, client_of, refuses, says, serving
from tests.support.processes import free_port

if TYPE_CHECKING:
    from tests.support.pki import PKI

ISSUERS = "/apis/oidc-publisher.io/v1alpha1/oidcissuers"
TOKEN = "/api/v1/namespaces/probe/serviceaccounts/sa/token"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


async def mint(client: ClusterClient, endpoint: str | None = None) -> str:
    """Mint for ServiceAccount probe/sa."""
    return await mint_token(client, endpoint, namespace="probe", name="sa", audience="aud")


class TestIssuers:
    """OIDCIssuer objects."""

    async def test_none_of_that_name(self, pki: PKI) -> None:
        """Gone is None; a resource that is not served says nothing of the object."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            with pytest.raises(AnswerError):
                await get_issuer(client, "prod")
            stub.on("GET", f"{ISSUERS}/prod", refuses(404, "NotFound", 'oidcissuers "prod" not found'))
            assert await get_issuer(client, "prod") is None

    async def test_the_patch_is_conditional(self, pki: PKI) -> None:
        """It names the version it was made for."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            patched = {"kind": "OIDCIssuer", "metadata": {"resourceVersion": "43"}}
            stub.on("PATCH", f"{ISSUERS}/prod/status", says(patched))
            assert await patch_status(client, "prod", {"issuerURL": None}, "42") == patched
        assert stub.seen[0].headers["Content-Type"] == "application/merge-patch+json"
        assert stub.seen[0].body == {"metadata": {"resourceVersion": "42"}, "status": {"issuerURL": None}}

    async def test_the_clusters_uid(self, pki: PKI) -> None:
        """The right to read it is named when it is missing."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            path = "/api/v1/namespaces/kube-system"
            stub.on("GET", path, says({"metadata": {"uid": "u-1"}}), refuses(403, "Forbidden", "no"))
            assert await kube_system_uid(client) == "u-1"
            with pytest.raises(AnswerError) as caught:
                await kube_system_uid(client)
        assert "get the namespace kube-system" in caught.value.hint


class TestTokens:
    """TokenRequest and TokenReview."""

    @pytest.mark.parametrize(
        ("answer", "reason", "said"),
        [
            (refuses(403, "Forbidden", "no"), Reason.TokenRequestForbidden, "may not mint a token of ServiceAccount probe/sa"),
            (refuses(404, "NotFound", 'serviceaccounts "sa" not found'), Reason.TokenRequestFailed, "ServiceAccount probe/sa does not exist"),
            (refuses(504, "Timeout", "signer"), Reason.TokenRequestFailed, "answered 504"),
            (says({"status": {}}), Reason.TokenRequestFailed, "without a token"),
            (says({"kind": "Status"}), Reason.TokenRequestFailed, "a Status in place of the object"),
            (says("?"), Reason.TokenRequestFailed, "JSON that is no object"),
        ],
    )  # fmt: skip
    async def test_mint_failures(self, pki: PKI, answer: Handler, reason: Reason, said: str) -> None:
        """Each in the catalogue's words."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("POST", TOKEN, answer)
            with pytest.raises(AnswerError) as caught:
                await mint(client)
        assert caught.value.reason is reason
        assert said in caught.value.message

    async def test_hints_name_what_to_do(self, pki: PKI) -> None:
        """The account and the flag, the right and the object."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("POST", TOKEN, refuses(404, "NotFound", "no"), refuses(403, "Forbidden", "no"))
            with pytest.raises(AnswerError) as missing:
                await mint(client)
            with pytest.raises(AnswerError) as forbidden:
                await mint(client)
        assert "--probe-service-account" in missing.value.hint
        assert "create serviceaccounts/token of sa in namespace probe" in forbidden.value.hint

    async def test_an_endpoint_that_is_down_is_unreachable(self, pki: PKI) -> None:
        """Not a failure to mint."""
        async with client_of(pki, "127.0.0.1:1") as client:
            with pytest.raises(UnreachableError):
                await mint(client, f"127.0.0.1:{free_port()}")

    async def test_reviews(self, pki: PKI) -> None:
        """Accepted, rejected with the server's words, and nothing said at all is rejected."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on(
                "POST",
                REVIEWS,
                says({"status": {"authenticated": True}}, status=201),
                says({"status": {"error": "invalid bearer token"}}, status=201),
                says({}, status=201),
            )
            results = [await review_token(client, None, "t", ["aud"]) for _ in range(3)]
        assert results == [
            TokenReview(authenticated=True),
            TokenReview(authenticated=False, error="invalid bearer token"),
            TokenReview(authenticated=False),
        ]
        assert stub.seen[0].body["spec"] == {"token": "t", "audiences": ["aud"]}

    async def test_reviews_forbidden(self, pki: PKI) -> None:
        """The right that is missing is named, and the token is not."""
        async with serving(pki) as stub, client_of(pki, stub.address) as client:
            stub.on("POST", REVIEWS, refuses(403, "Forbidden", "no"))
            with pytest.raises(AnswerError) as caught:
                await review_token(client, None, "secret-token", ["aud"])
        assert caught.value.reason is Reason.TokenRequestForbidden
        assert "create tokenreviews (authentication.k8s.io)" in caught.value.hint
        assert "secret-token" not in caught.value.message
