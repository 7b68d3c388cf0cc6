"""Texts as logs leave them: escaped, wrapped, with changing parts, one error round another."""

from __future__ import annotations

import base64
import json
import time

import pytest

from oidc_publisher.relyingparties.texts import explained, plain_text

KID = "Gy5tCp88TV5vcIGSo7TF1uf4CRorPE1eb3CBkqO0xdY"
HEX = base64.urlsafe_b64decode(KID + "=").hex().upper()
ROLE = "arn:aws:iam::123456789012:role/orders"


def names(text: str) -> list[str]:
    return [known.name for known in explained(text).found]


def token(header: dict[str, object], claims: dict[str, object]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims))
    return ".".join((*parts, "c2lnbmF0dXJl"))


@pytest.mark.parametrize(
    "text",
    [
        "Couldn't retrieve verification key from your identity provider,  please reference",
        "COULDN'T RETRIEVE VERIFICATION KEY FROM YOUR IDENTITY PROVIDER",
        "Couldn\u2019t retrieve verification key from your identity provider",
        "<Message>Couldn&apos;t retrieve verification key from your identity provider</Message>",
        "Couldn&#39;t retrieve verification key from your identity provider",
        r"err=\"Couldn\u0027t retrieve verification key\\nfrom your identity provider\"",
        r"{\"message\":\"Couldn\\\u0027t retrieve verification key from your identity provider\"}",
        "Couldn't retrieve verification\n  key from your identity provider",
        "\u2502 Couldn't retrieve verification   \u2502\n\u2502 key from your identity provider \u2502",
        "[pod/app-1/app] 2026-11-26T03:38:26.77Z Couldn't retrieve\n[pod/app-1/app] 2026-11-26T03:38:26.78Z verification key from your identity provider",
        "E1126 03:38:26.776766       1 a.go:3] Couldn't retrieve\nE1126 03:38:26.776767       1 a.go:3] verification key from your identity provider",
    ],
)
def test_one_text_is_found_however_a_log_writes_it(text: str) -> None:
    """Escapes and entities are undone, blanks made one, letter case is ignored, heads of lines are left out."""
    assert names(text) == ["sts-key-not-retrieved"]


def test_a_plain_text_stays_as_it_is() -> None:
    """What is undone once is not undone twice."""
    text = 'Unable to find a signing key that matches: "a"'
    assert plain_text(plain_text(text)) == plain_text(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No OpenIDConnect provider found in your account for https://a.example/b", "sts-no-provider"),
        ("Token expired: current date/time 1 must be before the expiration date/time2", "sts-token-expired"),
        ("AADSTS70021: No matching federated identity record found for presented assertion.", "entra-no-record"),
        ("AADSTS700211: No matching federated identity record found for presented", "entra-no-record-issuer"),
        ("AADSTS700213: No matching federated identity record found for presented", "entra-no-record-subject"),
        ("AADSTS7002138: No matching federated identity record found for presented assertion subject 'x'", "entra-letter-case"),
        ("AADSTS50166: Request to External OIDC endpoint failed.", "entra-unreachable"),
        ("AADSTS501661: Request to External OIDC endpoint failed.", "entra-unreachable"),
        ("unknown json web key type 'AKP'", "gojose-key-type"),
        ("unknown json web key type 'OKP2'", "gojose-key-type"),
    ],
)  # fmt: skip
def test_changing_parts_and_numbers_match(text: str, expected: str) -> None:
    """Identifiers and times may be any; a longer number is another text."""
    assert names(text) == [expected]


def test_quotes_tell_two_libraries_apart() -> None:
    """PyJWT and jwks-rsa say the same words, with other quotes round the kid."""
    assert names(f'Unable to find a signing key that matches: "{KID}"') == ["pyjwt-no-match"]
    assert names(f"Unable to find a signing key that matches '{KID}'") == ["jwksrsa-no-match"]


def test_the_innermost_error_comes_first() -> None:
    """It stands last, behind the colons and the last "Caused by"; wrappers are named apart."""
    text = (
        "An error occurred while attempting to decode the Jwt: Signed JWT rejected\n"
        "Caused by: Couldn't retrieve remote JWK set: Read timed out\nCaused by: PKIX path building failed: x"
    )
    found = explained(text)
    assert [known.name for known in found.found] == ["java-pkix", "nimbus-timeout"]
    assert [wrapper.name for wrapper in found.wrappers] == ["wrapper-spring"]


def test_a_repeated_error_is_said_once() -> None:
    """A log has it every minute."""
    assert names("Token signature invalid\n" * 50) == ["sts-signature-invalid"]


def test_entras_hexadecimal_kid_becomes_the_kid() -> None:
    """Entra prints the bytes; the key set has them in base64url."""
    text = f"The certificate with identifier {HEX} used to sign the federated credential could not be found in the metadata of identity provider https://oidc.example.com/prod."
    facts = explained(f"AADSTS7000272: {text}").facts
    assert (facts.key_id, facts.issuer_url) == (KID, "https://oidc.example.com/prod")


def test_another_identifier_of_entra_is_left_as_it_is() -> None:
    """Forty digits are a thumbprint of a certificate."""
    text = "The certificate with identifier DFA184AB5E2B3F6529B8CFCE195305014236E297 used to sign the federated credential could not be found in the metadata of identity provider https://oidc.example.com"
    assert explained(text).facts.key_id == "DFA184AB5E2B3F6529B8CFCE195305014236E297"


@pytest.mark.parametrize(
    "text",
    [
        "GET https://oidc.example.com/prod/.well-known/openid-configuration: 403",
        "fetching https://oidc.example.com/prod/openid/v1/jwks",
        "Assertion Issuer: 'https://oidc.example.com/prod'.",
        '{\\"iss\\":\\"https://oidc.example.com/prod\\"}',
        token({"alg": "RS256", "kid": KID}, {"iss": "https://oidc.example.com/prod"}),
    ],
)
def test_the_issuer_is_found_where_a_log_has_it(text: str) -> None:
    """In an address, in Entra's words, in claims, in a token."""
    assert explained(text).facts.issuer_url == "https://oidc.example.com/prod"


def test_the_role_the_subject_and_the_kid_are_found() -> None:
    """What `verify` asks for beside the address."""
    text = f"assuming {ROLE}. as system:serviceaccount:shop:orders with kid={KID}"
    facts = explained(text).facts
    assert (facts.role, facts.subject, facts.key_id) == (ROLE, "system:serviceaccount:shop:orders", KID)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@oidc.example.com/prod",
        "https://oidc.example.com/prod?code=hunter2",
        "https://oidc.example.com/prod#hunter2",
        "http://oidc.example.com/prod",
        "https://[oidc",
    ],
)
def test_an_address_that_may_hold_a_secret_is_no_issuer(url: str) -> None:
    """User information, a query and a fragment are not repeated; neither is what is no https URL."""
    assert explained(f"No OpenIDConnect provider found in your account for {url} ").facts.issuer_url == ""


def test_a_token_is_no_kid() -> None:
    """Somebody pasted it where the kid stands."""
    text = f'Unable to find a signing key that matches: "{token({"kid": "a"}, {})}"'
    assert "eyJ" not in explained(text).facts.key_id


def test_nonsense_is_unknown() -> None:
    """Neither an empty text nor a long one of nothing is explained, and it takes no time."""
    assert explained("").found == ()
    assert explained("eyJ" * 200_000).found == ()
    assert explained("Couldn't retrieve " * 50_000).found == ()


def test_many_addresses_without_a_blank_cost_no_time() -> None:
    """A megabyte of them took hours, because each was read to the end of all."""
    begin = time.process_time()
    assert explained("https://a/" * 20_000).found == ()
    assert time.process_time() - begin < 5
