"""Each party's rules: kept by what we publish, broken by one thing at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from oidc_publisher.api import RelyingParty
from oidc_publisher.documents import read_discovery
from oidc_publisher.documents.discovery import discovery_document
from oidc_publisher.relyingparties import DEMANDS, ServedIssuer, broken_library_rules, broken_rules

ISSUER = "https://oidc.example.test/prod"
RSA = {"kty": "RSA", "kid": "r", "alg": "RS256", "use": "sig", "n": "AQ", "e": "AQAB"}
EC = {"kty": "EC", "kid": "e", "alg": "ES256", "use": "sig", "crv": "P-256", "x": "AA", "y": "AA"}
ES384 = {**EC, "kid": "e384", "alg": "ES384", "crv": "P-384"}
ALL = frozenset(RelyingParty)


def served(*keys: dict[str, Any], issuer: str = ISSUER, size: int = 1000) -> ServedIssuer:
    document = read_discovery(discovery_document(issuer, f"{issuer}/keys.json", []))
    return ServedIssuer(issuer, document.members, keys, size)


def breakers(facts: ServedIssuer) -> dict[str, list[str]]:
    """Return who finds which rules broken."""
    found = {party.value: [rule.rule for rule in broken_rules(party, facts)] for party in RelyingParty}
    return {party: rules for party, rules in found.items() if rules}


CASES: dict[str, tuple[ServedIssuer, dict[str, list[str]]]] = {
    "what we publish": (served(RSA), {}),
    "an RSA key without alg": (served({name: v for name, v in RSA.items() if name != "alg"}), {}),
    "an EC key": (served(RSA, EC), {"Azure": ["Algorithms"]}),
    "an EC key without alg": (served({name: v for name, v in EC.items() if name != "alg"}), {"Azure": ["Algorithms"]}),
    "P-384": (served(RSA, ES384), {"Azure": ["Algorithms"], "GCP": ["Algorithms"]}),
    "PS256": (
        served({**RSA, "alg": "PS256"}),
        {"AWS": ["Algorithms"], "Azure": ["Algorithms"], "GCP": ["Algorithms"]},
    ),
    "100 RSA keys": (served(*[RSA] * 100), {}),
    "101 RSA keys": (served(*[RSA] * 101), {"AWS": ["KeyCount"]}),
    "100 of each type": (served(*[RSA] * 100, *[{**EC, "alg": "RS256"}] * 100), {}),
    "no key": (served(), {"AWS": ["KeyCount"]}),
    "x5c": (served({**RSA, "x5c": ["AA"], "x5t": "AA"}), {"GCP": ["JWKMembers"]}),
    "P-224": (
        served({**EC, "crv": "P-224", "alg": "RS256"}),
        {"Kubernetes": ["KeyTypes"], "Vault": ["KeyTypes"]},
    ),
    "a curve that is a list": (
        served({**EC, "crv": [], "alg": "RS256"}),
        {"Kubernetes": ["KeyTypes"], "Vault": ["KeyTypes"]},
    ),
    "ML-DSA": (
        served(RSA, {"kty": "AKP", "kid": "pq"}),
        {"Kubernetes": ["KeyTypes"], "Vault": ["KeyTypes"]},
    ),
    "Ed25519": (served(RSA, {"kty": "OKP", "crv": "Ed25519", "kid": "ed"}), {}),
    "X25519": (
        served(RSA, {"kty": "OKP", "crv": "X25519", "kid": "x"}),
        {"Kubernetes": ["KeyTypes"], "Vault": ["KeyTypes"]},
    ),
    "a shared secret": (served(RSA, {"kty": "oct", "kid": "secret"}), {}),
    "a key type that is an object": (
        served({"kty": {}, "kid": []}),
        {"Kubernetes": ["KeyTypes"], "Vault": ["KeyTypes"]},
    ),
    "255 characters": (served(RSA, issuer="https://" + "i" * 247), {}),
    "256 characters": (served(RSA, issuer="https://" + "i" * 248), {"AWS": ["IssuerLength"]}),
    "601 characters": (
        served(RSA, issuer="https://" + "i" * 593),
        {"AWS": ["IssuerLength"], "Azure": ["IssuerLength"]},
    ),
    "a port": (served(RSA, issuer="https://oidc.example.test:8443/prod"), {"AWS": ["IssuerPort"]}),
    "port 443": (served(RSA, issuer="https://oidc.example.test:443"), {"AWS": ["IssuerPort"]}),
    "IPv6": (served(RSA, issuer="https://[2001:db8::1]/prod"), {}),
    "a colon in the path": (served(RSA, issuer="https://oidc.example.test/a:b"), {}),
    "a private address": (
        dataclasses.replace(served(RSA), private_address="10.1.2.3"),
        {"AWS": ["PublicAddress"], "GCP": ["PublicAddress"], "Azure": ["PublicAddress"]},
    ),
    "a private CA": (
        dataclasses.replace(served(RSA), untrusted="The certificate comes from a root that is not trusted"),
        {"AWS": ["PublicTrust"], "GCP": ["PublicTrust"], "Azure": ["PublicTrust"]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_thing_breaks_the_rules_of_those_who_mind(name: str) -> None:
    """And of nobody else."""
    facts, expected = CASES[name]
    assert breakers(facts) == expected


def test_a_sentence_names_the_party_the_rule_and_the_key() -> None:
    """What to do follows from it."""
    (rule,) = broken_rules(RelyingParty.GCP, served(RSA, ES384))
    assert rule.sentence == 'GCP accepts ES256, RS256, and the key "e384" signs with ES384'
    assert rule.certain


def test_a_cloud_that_cannot_come_is_told_of_with_what_to_do() -> None:
    """Certain, for no setting of ours brings it here; the advice names the party."""
    facts = dataclasses.replace(served(RSA), private_address="10.1.2.3", untrusted="No CA vouches for it")
    address, trust = broken_rules(RelyingParty.AWS, facts)
    assert address.sentence == "AWS comes from the internet, and oidc.example.test is at the private address 10.1.2.3"
    assert (
        trust.sentence
        == "AWS trusts public certificate authorities, not probe.certificateAuthority: No CA vouches for it"
    )
    assert address.certain
    assert trust.certain
    assert "take AWS out of probe.relyingParties" in address.hint
    assert "Use a certificate of a public CA" in trust.hint


def test_what_is_only_documented_is_not_certain() -> None:
    """Entra's documentation names RS256; nobody has seen it refuse the others."""
    (rule,) = broken_rules(RelyingParty.AZURE, served(EC))
    assert not rule.certain
    (length,) = broken_rules(RelyingParty.AZURE, served(RSA, issuer="https://" + "i" * 600))
    assert length.certain


def test_what_is_refused_in_an_upload_alone_is_not_certain() -> None:
    """GCP reads issuers that have x5c beside their keys, as GitHub's."""
    (rule,) = broken_rules(RelyingParty.GCP, served({**RSA, "x5c": ["AA"]}))
    assert not rule.certain
    assert "in an uploaded set" in rule.sentence


def test_libraries_have_rules_whoever_uses_them() -> None:
    """Never certain: nobody asked for them."""
    facts = served(RSA, size=51_200)
    assert broken_library_rules(served(RSA, size=51_199)) == []
    assert [(rule.party, rule.rule, rule.certain) for rule in broken_library_rules(facts)] == [
        ("Nimbus", "KeySetSize", False)
    ]
    bare = dataclasses.replace(facts, discovery={}, jwks_size_bytes=1)
    (required,) = broken_library_rules(bare)
    assert required.rule == "AuthorizationEndpoint"
    assert required.sentence.endswith("authorization_endpoint, response_types_supported, subject_types_supported")
    lax = dataclasses.replace(served(RSA), strict_refusal="CA cert does not include key usage extension")
    (rule,) = broken_library_rules(lax)
    assert (rule.party, rule.rule, rule.certain) == ("Python", "StrictCertificate", False)
    assert rule.sentence == (
        "Python 3.13 and later refuse the certificate of oidc.example.test: CA cert does not include key usage extension"
    )
    assert "RFC 5280" in rule.hint
    (rule,) = broken_library_rules(dataclasses.replace(served(RSA), negative_serial=True))
    assert (rule.party, rule.rule, rule.certain) == ("Go", "NegativeSerial", False)
    assert rule.sentence.endswith("refuse the certificate of oidc.example.test: its serial number is negative")


def test_every_party_of_the_api_has_demands() -> None:
    """A party that is asked for and not known would be kept by accident."""
    assert set(DEMANDS) == ALL
