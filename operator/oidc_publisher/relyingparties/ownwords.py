"""What relying parties answer to a token that they refuse, in their own words. Pure.

The words are those of the known texts (`texts/known`), which have their sources. Where no text of a party is known for a
cause, none is invented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from oidc_publisher.api import RelyingParty
from oidc_publisher.relyingparties.texts import KnownText
from oidc_publisher.relyingparties.texts.facts import hex_kid
from oidc_publisher.relyingparties.texts.known import KNOWN


class Refusal(StrEnum):
    """The causes of a refusal, in the order in which they are met."""

    TOO_LARGE = "the token has more than 20,000 characters"
    NOT_UNDERSTOOD = "the header asks for an extension"
    WRONG_ISSUER = "the token is of another issuer"
    UNREADABLE = "the documents cannot be read"
    UNTRUSTED_TLS = "the certificate is not trusted"
    OWN_RULE = "a rule of this relying party is broken"
    ALGORITHM = "the algorithm is not accepted"
    NO_KEY = "the key of the token is not served"
    BAD_SIGNATURE = "the served key of that key ID does not verify the signature"
    MALFORMED = "a claim is of another type"
    INCOMPLETE = "the token has no subject or no audience"
    EXPIRED = "the token has expired"
    TOO_EARLY = "the token is not valid yet"
    TOO_OLD = "the token was issued more than a day ago"
    TOO_LONG = "the token lives longer than a day"
    AUDIENCE = "the audience is another one"
    SUBJECT = "the subject or a condition of the role does not fit"
    SUBJECT_CASE = "the subject differs in the case of letters only"


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said is a known text by its name, behind the `code` that the party's API gives it."""

    name: str
    code: str = ""


#: The parts of a known text that change, and of the words before it.
_PART = re.compile(r"\{(any|issuer|hexkid|iat)\}")
_CATALOGUE: Mapping[str, KnownText] = {known.name: known for known in KNOWN}
_UNAUTHORIZED = "Unauthorized"
_RETRIEVE = _Said("sts-key-not-retrieved", "InvalidIdentityToken: ")
_STS_DENIED = _Said("sts-not-authorized", "AccessDenied: ")
_GCP_UNREADABLE = _Said("gcp-connect", "invalid_grant: ")
_GCP_CONDITION = _Said("gcp-condition", "unauthorized_client: ")
_ENTRA_UNREADABLE = _Said("entra-unreachable", "AADSTS90061: ")
_ENTRA_TIME = _Said("entra-time", "AADSTS700024: ")
_VAULT_UNREADABLE = _Said("vault-discovery")
#: Vault says the same of an absent key and of another one (measured).
_VAULT_SIGNATURE = _Said("goidc-signature", "error verifying token signature: ")

_WORDS: Mapping[RelyingParty, Mapping[Refusal, _Said]] = {
    RelyingParty.AWS: {
        Refusal.WRONG_ISSUER: _Said("sts-no-provider", "InvalidIdentityToken: "),
        Refusal.UNREADABLE: _RETRIEVE,  # the same sentence for everything that cannot be read
        Refusal.UNTRUSTED_TLS: _Said("sts-thumbprint"),
        Refusal.OWN_RULE: _RETRIEVE,
        Refusal.NO_KEY: _RETRIEVE,
        Refusal.BAD_SIGNATURE: _Said("sts-signature-invalid", "InvalidIdentityToken: "),
        Refusal.EXPIRED: _Said("sts-token-expired", "ExpiredTokenException: "),
        Refusal.TOO_OLD: _Said("sts-token-too-old", "ExpiredTokenException: "),
        Refusal.AUDIENCE: _Said("sts-wrong-audience", "InvalidIdentityToken: "),
        Refusal.SUBJECT: _STS_DENIED,
        Refusal.SUBJECT_CASE: _STS_DENIED,
    },
    RelyingParty.GCP: {
        Refusal.WRONG_ISSUER: _Said("gcp-issuer-token", "invalid_grant: "),
        Refusal.UNREADABLE: _GCP_UNREADABLE,
        Refusal.UNTRUSTED_TLS: _GCP_UNREADABLE,
        Refusal.BAD_SIGNATURE: _Said("gcp-signature", "invalid_grant: "),
        Refusal.TOO_OLD: _Said("gcp-stale", "invalid_grant: ID Token issued at {iat} "),
        Refusal.AUDIENCE: _Said("gcp-audience-token", "invalid_grant: "),
        Refusal.SUBJECT: _GCP_CONDITION,
        Refusal.SUBJECT_CASE: _GCP_CONDITION,
    },
    RelyingParty.AZURE: {
        Refusal.WRONG_ISSUER: _Said("entra-no-record-issuer"),
        Refusal.UNREADABLE: _ENTRA_UNREADABLE,
        Refusal.UNTRUSTED_TLS: _ENTRA_UNREADABLE,
        Refusal.NO_KEY: _Said("entra-kid", "AADSTS7000272: "),
        Refusal.BAD_SIGNATURE: _Said("entra-signature", "AADSTS7000274: Key '...' "),
        Refusal.EXPIRED: _ENTRA_TIME,
        Refusal.TOO_EARLY: _ENTRA_TIME,
        Refusal.TOO_LONG: _Said("entra-lifetime"),
        Refusal.AUDIENCE: _Said("entra-no-record-audience"),
        Refusal.SUBJECT: _Said("entra-no-record-subject"),
        Refusal.SUBJECT_CASE: _Said("entra-letter-case"),
    },
    RelyingParty.VAULT: {
        Refusal.WRONG_ISSUER: _Said("vault-issuer"),
        Refusal.UNREADABLE: _VAULT_UNREADABLE,
        Refusal.UNTRUSTED_TLS: _VAULT_UNREADABLE,
        Refusal.NO_KEY: _VAULT_SIGNATURE,
        Refusal.BAD_SIGNATURE: _VAULT_SIGNATURE,
        Refusal.ALGORITHM: _VAULT_SIGNATURE,
        Refusal.AUDIENCE: _Said("vault-audience"),
    },
}
#: What some parties take: AWS alone bounds the request's member; Vault's role names the claims that it needs, AWS and Google Cloud look at the age, Entra at
#: the lifetime.
_TAKES: Mapping[Refusal, frozenset[RelyingParty]] = {
    Refusal.TOO_LARGE: frozenset(RelyingParty) - {RelyingParty.AWS},
    Refusal.INCOMPLETE: frozenset({RelyingParty.VAULT}),
    Refusal.TOO_OLD: frozenset({RelyingParty.AZURE, RelyingParty.KUBERNETES, RelyingParty.VAULT}),
    Refusal.TOO_LONG: frozenset(RelyingParty) - {RelyingParty.AZURE},
}


def first_refusal(party: RelyingParty, causes: frozenset[Refusal]) -> Refusal | None:
    """Return the cause that the party meets first, None where it has no reason to refuse."""
    return next((cause for cause in Refusal if cause in causes and party not in _TAKES.get(cause, frozenset())), None)


def own_words(party: RelyingParty, refusal: Refusal, *, issuer: str, issued: str, audience: str, key_id: str) -> str:
    """Return the party's text for a cause, empty where none is known, with these values of the token in it."""
    if party is RelyingParty.KUBERNETES:
        return _UNAUTHORIZED  # kube-apiserver 1.36 says nothing else to whoever presents the token (measured)
    said = _WORDS[party].get(refusal)
    if said is None:
        return ""
    changing = audience if refusal is Refusal.AUDIENCE else "..."
    text = f"{said.code}{_CATALOGUE[said.name].text}"
    values = {"issuer": issuer, "hexkid": hex_kid(key_id) or "...", "any": changing, "iat": issued}
    return _PART.sub(lambda part: values[part[1]], text)
