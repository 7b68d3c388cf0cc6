"""The discovery document and the URLs of both documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oidc_publisher.documents import DISCOVERY_PATH, discovery_document, discovery_url, jwks_uri, read_discovery
from oidc_publisher.errors import DocumentInvalidError
from oidc_publisher.findings import Reason

VECTORS = Path(__file__).parents[2] / "vectors" / "documents"
CASES: dict[str, dict[str, Any]] = json.loads((VECTORS / "cases.json").read_text())
REFUSED = [name for name, case in CASES.items() if "error" in case]


@pytest.mark.parametrize(
    ("issuer", "discovery", "jwks"),
    [
        ("https://i.example", "https://i.example/.well-known/openid-configuration", "https://i.example/openid/v1/jwks"),
        (
            "https://i.example/",
            "https://i.example/.well-known/openid-configuration",
            "https://i.example/openid/v1/jwks",
        ),
        (
            "https://i.example/a/b",
            "https://i.example/a/b/.well-known/openid-configuration",
            "https://i.example/a/b/openid/v1/jwks",
        ),
        (
            "https://i.example/a/",
            "https://i.example/a/.well-known/openid-configuration",
            "https://i.example/a/openid/v1/jwks",
        ),
        (
            "https://i.example/a//",
            "https://i.example/a//.well-known/openid-configuration",
            "https://i.example/a//openid/v1/jwks",
        ),
    ],
)
def test_urls_lose_one_trailing_slash(issuer: str, discovery: str, jwks: str) -> None:
    """As relying parties compute it: one slash, not all of them."""
    assert discovery_url(issuer) == discovery
    assert jwks_uri(issuer, "openid/v1/jwks") == jwks
    assert discovery.endswith(DISCOVERY_PATH)


def test_the_document_says_exactly_this() -> None:
    """Its bytes are the contract: members, order, white space, and the issuer byte for byte."""
    body = discovery_document("https://i.example/a/", "https://i.example/a/keys.json", ["ES384", "RS256", "ES384"])
    assert body.decode() == (
        "{\n"
        '  "issuer": "https://i.example/a/",\n'
        '  "jwks_uri": "https://i.example/a/keys.json",\n'
        '  "authorization_endpoint": "urn:kubernetes:programmatic_authorization",\n'
        '  "response_types_supported": [\n    "id_token"\n  ],\n'
        '  "subject_types_supported": [\n    "public"\n  ],\n'
        '  "id_token_signing_alg_values_supported": [\n    "ES256",\n    "ES384",\n    "RS256"\n  ]\n'
        "}\n"
    )


@pytest.mark.parametrize("algorithms", [[], ["RS256"], ["ES256"], ["ES256", "RS256"]])
def test_rs256_and_es256_are_always_advertised(algorithms: list[str]) -> None:
    """Parties freeze the list at their start, so a later change of key type would find them closed."""
    assert read_discovery(discovery_document("i", "j", algorithms)).algorithms == ("ES256", "RS256")


def test_what_is_written_is_read() -> None:
    """Every member is at hand for the rules of relying parties."""
    found = read_discovery(discovery_document("https://i.example", "https://i.example/k", ["ES512"]))
    assert (found.issuer, found.jwks_uri) == ("https://i.example", "https://i.example/k")
    assert found.algorithms == ("ES256", "ES512", "RS256")
    assert found.members["authorization_endpoint"] == "urn:kubernetes:programmatic_authorization"


def test_a_document_without_algorithms_is_one() -> None:
    """Whether that is enough is for the relying parties' rules to say."""
    assert read_discovery(b'{"issuer":"i","jwks_uri":"j"}').algorithms == ()


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "userinfo_endpoint"])
def test_an_endpoint_that_is_no_string_is_refused(name: str) -> None:
    """go-oidc refuses the whole document, and so do kube-apiserver and Vault; null is no value to it."""
    with pytest.raises(DocumentInvalidError, match=f'has a member "{name}" that is not a string'):
        read_discovery(json.dumps({"issuer": "i", "jwks_uri": "j", name: 5}).encode())
    assert read_discovery(json.dumps({"issuer": "i", "jwks_uri": "j", name: None}).encode()).issuer == "i"


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_document_is_refused(name: str) -> None:
    """No file of the broken ones passes for a discovery document, key sets included."""
    with pytest.raises(DocumentInvalidError) as caught:
        read_discovery((VECTORS / name).read_bytes())
    assert caught.value.reason is Reason.DocumentInvalid
    if name.startswith("discovery-"):
        assert CASES[name]["error"] in caught.value.message
