"""Check a served issuer against the rules of relying parties. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from oidc_publisher.api import RelyingParty
from oidc_publisher.keys.strictjson import quoted
from oidc_publisher.relyingparties.demands import DEMANDS, Demands

#: Measured: Nimbus and Spring Security read no more of a key set (RemoteJWKSet.DEFAULT_HTTP_SIZE_LIMIT of Nimbus).
LIBRARY_JWKS_LIMIT_BYTES = 51_200

#: Required by OpenID Connect Discovery 1.0, section 3, beside those that everybody needs; openidconnect-rs has no defaults.
_REQUIRED = ("authorization_endpoint", "response_types_supported", "subject_types_supported")

_EC_ALGORITHMS = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


@dataclass(frozen=True, slots=True)
class ServedIssuer:
    """A ServedIssuer holds what a relying party gets from an issuer.

    `discovery` and `keys` are the members of the discovery document and of each JWK as they were served,
    `jwks_size_bytes` is the size of the key set's document. `private_address` is an address of the host that the public
    cannot reach, empty where there is none. `untrusted` is the sentence about a certificate that no public certificate
    authority issued, empty where one did. `strict_refusal` is why the strict checks of Python 3.13 refuse the
    certificate, empty where they accept it. `negative_serial` is whether the serial number of the certificate is negative.
    """

    issuer_url: str
    discovery: Mapping[str, Any]
    keys: tuple[Mapping[str, Any], ...]
    jwks_size_bytes: int
    private_address: str = ""
    untrusted: str = ""
    strict_refusal: str = ""
    negative_serial: bool = False


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A BrokenRule is a rule of `party` that a served issuer breaks; `sentence` describes the defect.

    `hint` is the advice, empty where the sentence contains it. `certain` is False where the party's documentation
    states the rule but the party may accept the issuer all the same, and for libraries, which the spec does not name.
    """

    party: str
    rule: str
    sentence: str
    certain: bool = True
    hint: str = ""


RuleCheck = Callable[[Demands, ServedIssuer], Iterator[str]]


def broken_rules(party: RelyingParty, facts: ServedIssuer) -> list[BrokenRule]:
    """Return the rules of `party` that the issuer breaks."""
    demands = DEMANDS[party]
    return [
        BrokenRule(
            party.value,
            name,
            f"{party.value} {sentence}",
            certain=name not in _uncertain(demands),
            hint=_HINTS.get(name, "").format(party=party.value),
        )
        for name, check in _CHECKS.items()
        for sentence in check(demands, facts)
    ]


def applied_rules(party: RelyingParty) -> tuple[str, ...]:
    """Return the names of the rules that `party` has, whether an issuer breaks them or not."""
    demands = DEMANDS[party]
    has = {
        "PublicAddress": demands.public,
        "PublicTrust": demands.public,
        "IssuerLength": demands.issuer_max_length is not None,
        "IssuerPort": not demands.port_allowed,
        "KeyCount": demands.keys_per_type_max is not None,
        "Algorithms": demands.algorithms is not None,
        "JWKMembers": demands.jwk_members is not None,
        "KeyTypes": not demands.unknown_key_types,
    }
    return tuple(name for name in _CHECKS if has[name])


def broken_library_rules(facts: ServedIssuer) -> list[BrokenRule]:
    """Return the rules of widely used verifier libraries that the issuer breaks, for any relying party."""
    broken = []
    if facts.jwks_size_bytes >= LIBRARY_JWKS_LIMIT_BYTES:
        sentence = f"Nimbus and Spring Security read key sets below {LIBRARY_JWKS_LIMIT_BYTES} bytes only"
        broken.append(BrokenRule("Nimbus", "KeySetSize", sentence, certain=False))
    # Required by OpenID Connect Discovery 1.0, section 3; EKS has "urn:kubernetes:programmatic_authorization".
    missing = [name for name in _REQUIRED if name not in facts.discovery]
    if missing:
        sentence = f"openidconnect-rs refuses a discovery document without {', '.join(missing)}"
        broken.append(BrokenRule("openidconnect-rs", "AuthorizationEndpoint", sentence, certain=False))
    if facts.strict_refusal:  # ssl.VERIFY_X509_STRICT is a default since Python 3.13
        host = urlsplit(facts.issuer_url).hostname
        sentence = f"Python 3.13 and later refuse the certificate of {host}: {facts.strict_refusal}"
        broken.append(
            BrokenRule("Python", "StrictCertificate", sentence, certain=False, hint=_HINTS["StrictCertificate"])
        )
    if facts.negative_serial:  # x509negativeserial=0 is the default of GODEBUG since Go 1.23
        host = urlsplit(facts.issuer_url).hostname
        sentence = (
            f"Programs built with Go 1.23 or later, such as kube-apiserver and Vault, refuse the certificate of {host}: its"
            " serial number is negative"
        )
        broken.append(BrokenRule("Go", "NegativeSerial", sentence, certain=False, hint=_HINTS["NegativeSerial"]))
    return broken


def _uncertain(demands: Demands) -> frozenset[str]:
    # GCP refuses the members in an uploaded set. It reads those of GitHub's issuer, which has x5c and x5t.
    return frozenset({"JWKMembers"} if demands.algorithms_certain else {"JWKMembers", "Algorithms"})


def _public_address(demands: Demands, facts: ServedIssuer) -> Iterator[str]:
    if demands.public and facts.private_address:
        host = urlsplit(facts.issuer_url).hostname
        yield f"comes from the internet, and {host} is at the private address {facts.private_address}"


def _public_trust(demands: Demands, facts: ServedIssuer) -> Iterator[str]:
    if demands.public and facts.untrusted:
        yield f"trusts public certificate authorities, not probe.certificateAuthority: {facts.untrusted}"


def _issuer_length(demands: Demands, facts: ServedIssuer) -> Iterator[str]:
    limit = demands.issuer_max_length
    if limit is not None and len(facts.issuer_url) > limit:
        yield f"takes issuer URLs of at most {limit} characters, and this one has {len(facts.issuer_url)}"


def _issuer_port(demands: Demands, facts: ServedIssuer) -> Iterator[str]:
    host_and_port = urlsplit(facts.issuer_url).netloc.rpartition("@")[2].rpartition("]")[2]
    if not demands.port_allowed and ":" in host_and_port:
        yield "takes no issuer URL with a port number"


def _key_count(demands: Demands, facts: ServedIssuer) -> Iterator[str]:
    limit = demands.keys_per_type_max
    if limit is None:
        return
    if not facts.keys:
        yield "demands at least one key"
    counts = Counter(kty for key in facts.keys if isinstance(kty := key.get("kty"), str))
    for kty in ("RSA", "EC"):
        if counts[kty] > limit:
            yield f"takes at most {limit} {kty} keys, and {counts[kty]} are served"


def _algorithms(demands: Demands, facts: ServedIssuer) -> Iterator[str]:
    if demands.algorithms is None:
        return
    accepted = ", ".join(sorted(demands.algorithms))
    for key in facts.keys:
        algorithm = _algorithm(key)
        if algorithm and algorithm not in demands.algorithms:
            yield f"accepts {accepted}, and the key {_kid(key)} signs with {algorithm}"


def _jwk_members(demands: Demands, facts: ServedIssuer) -> Iterator[str]:
    if demands.jwk_members is None:
        return
    for key in facts.keys:
        others = sorted(set(key) - demands.jwk_members)
        if others:
            yield f"refuses the JWK members {', '.join(map(quoted, others))} of the key {_kid(key)} in an uploaded set"


def _key_types(demands: Demands, facts: ServedIssuer) -> Iterator[str]:
    if demands.unknown_key_types:
        return
    for key in facts.keys:
        if key.get("kty") == "EC" and key.get("crv") not in tuple(_EC_ALGORITHMS):  # a tuple: it may be no string
            yield f"drops the whole set because of the curve {quoted(key.get('crv'))} of the key {_kid(key)}"
        elif key.get("kty") not in ("RSA", "EC") and not _is_known_elsewhere(key):
            yield f"drops the whole set because of the key type {quoted(key.get('kty'))} of the key {_kid(key)}"


def _is_known_elsewhere(key: Mapping[str, Any]) -> bool:
    """Return whether go-jose reads a key that signs no token of a cluster (measured with kube-apiserver 1.36)."""
    return key.get("kty") == "oct" or (key.get("kty"), key.get("crv")) == ("OKP", "Ed25519")


_CHECKS: Mapping[str, RuleCheck] = {
    "PublicAddress": _public_address,
    "PublicTrust": _public_trust,
    "IssuerLength": _issuer_length,
    "IssuerPort": _issuer_port,
    "KeyCount": _key_count,
    "Algorithms": _algorithms,
    "JWKMembers": _jwk_members,
    "KeyTypes": _key_types,
}


_UNLESS_TOLD = (
    "or take {party} out of probe.relyingParties, where it has the keys in another way (AWS by a thumbprint of the CA, GCP"
    " by an uploaded key set) or does not use the issuer."
)
_HINTS: Mapping[str, str] = {
    "PublicAddress": f"Publish on a public address, {_UNLESS_TOLD}",
    "PublicTrust": f"Use a certificate of a public CA, {_UNLESS_TOLD}",
    "NegativeSerial": "Issue the certificate again with a positive serial number, as RFC 5280 demands.",
    "StrictCertificate": (
        "Issue the CA and the certificate as RFC 5280 demands (critical basic constraints, key usages, key identifiers), or"
        " take VERIFY_X509_STRICT out of the TLS contexts of verifiers in Python."
    ),
}


def _algorithm(key: Mapping[str, Any]) -> str | None:
    """Return the algorithm that a key states, else the one that kube-apiserver uses for its type."""
    stated = key.get("alg")
    if isinstance(stated, str):
        return stated
    crv = key.get("crv")
    return "RS256" if key.get("kty") == "RSA" else _EC_ALGORITHMS.get(crv) if isinstance(crv, str) else None


def _kid(key: Mapping[str, Any]) -> str:
    return quoted(key.get("kid"))
