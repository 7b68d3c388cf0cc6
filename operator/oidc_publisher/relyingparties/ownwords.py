"""What relying parties answer to a token that they refuse, in their own words. Pure.

Sources: documentation, public threads and measurements, as the comments say. Where no text of a party is known for a
cause, none is invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from oidc_publisher.api import RelyingParty


class Refusal(StrEnum):
    """The causes of a refusal, in the order in which they are met."""

    WRONG_ISSUER = "the token is of another issuer"
    UNREADABLE = "the documents cannot be read"
    UNTRUSTED_TLS = "the certificate is not trusted"
    OWN_RULE = "a rule of this relying party is broken"
    ALGORITHM = "the algorithm is not accepted"
    NO_KEY = "the key of the token is not served"
    BAD_SIGNATURE = "the served key of that key ID does not verify the signature"
    EXPIRED = "the token has expired"
    TOO_EARLY = "the token is not valid yet"
    TOO_OLD = "the token was issued more than a day ago"
    TOO_LONG = "the token lives longer than a day"
    AUDIENCE = "the audience is another one"
    SUBJECT = "the subject or a condition of the role does not fit"
    SUBJECT_CASE = "the subject differs in the case of letters only"


_RETRIEVE = (
    "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider, please reference"
    " AssumeRoleWithWebIdentity documentation for requirements"
)
_UNAUTHORIZED = "Unauthorized (in the log: invalid bearer token)"
_VAULT_SIGNATURE = "error verifying token signature: failed to verify id token signature"

_WORDS: Mapping[RelyingParty, Mapping[Refusal, str]] = {
    # AWS re:Post, iam-sts-invalididentitytoken; STS API reference; the same sentence for everything unreadable.
    RelyingParty.AWS: {
        Refusal.WRONG_ISSUER: "InvalidIdentityToken: No OpenIDConnect provider found in your account for {iss}",
        Refusal.UNREADABLE: _RETRIEVE,
        Refusal.UNTRUSTED_TLS: "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
        Refusal.OWN_RULE: _RETRIEVE,
        Refusal.NO_KEY: _RETRIEVE,
        Refusal.BAD_SIGNATURE: "InvalidIdentityToken: Token signature invalid",
        Refusal.EXPIRED: "ExpiredTokenException: Token expired",
        Refusal.TOO_OLD: "ExpiredTokenException: Token too old",
        Refusal.AUDIENCE: "InvalidIdentityToken: Incorrect token audience",
        Refusal.SUBJECT: "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
        Refusal.SUBJECT_CASE: "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
    },
    # Google Cloud, troubleshooting of Workload Identity Federation; google-github-actions/auth, TROUBLESHOOTING.md.
    RelyingParty.GCP: {
        Refusal.WRONG_ISSUER: "invalid_grant: The issuer in ID Token {iss} does not match the expected ones",
        Refusal.UNREADABLE: "invalid_grant: Error connecting to the given credential's issuer.",
        Refusal.UNTRUSTED_TLS: "invalid_grant: Error connecting to the given credential's issuer.",
        Refusal.BAD_SIGNATURE: "invalid_grant: Unable to verify the ID Token signature",
        Refusal.TOO_OLD: "invalid_grant: ID Token issued at {iat} is stale to sign-in.",
        Refusal.AUDIENCE: "invalid_grant: The audience in ID Token [{aud}] does not match the expected audience",
        Refusal.SUBJECT: "unauthorized_client: The given credential is rejected by the attribute condition",
        Refusal.SUBJECT_CASE: "unauthorized_client: The given credential is rejected by the attribute condition",
    },
    # Microsoft Entra, "Microsoft Entra authentication and authorization error codes".
    RelyingParty.AZURE: {
        Refusal.WRONG_ISSUER: "AADSTS700211: No matching federated identity record found for presented assertion issuer",
        Refusal.UNREADABLE: "AADSTS90061: Request to External OIDC endpoint failed",
        Refusal.UNTRUSTED_TLS: "AADSTS90061: Request to External OIDC endpoint failed",
        Refusal.NO_KEY: "AADSTS7000272: certificate with identifier {kid} could not be found in the metadata",
        Refusal.BAD_SIGNATURE: "AADSTS7000274: Key was found, but use of the key to verify the signature failed",
        Refusal.EXPIRED: "AADSTS700024: Client assertion is not within its valid time range",
        Refusal.TOO_EARLY: "AADSTS700024: Client assertion is not within its valid time range",
        Refusal.TOO_LONG: "AADSTS70023: External OIDC Provider token must have a lifetime of less than or equal to ...",
        Refusal.AUDIENCE: "AADSTS700212: No matching federated identity record found for presented assertion audience",
        Refusal.SUBJECT: "AADSTS700213: No matching federated identity record found for presented assertion subject",
        Refusal.SUBJECT_CASE: "AADSTS7002138: No matching federated identity record found for presented assertion subject",
    },
    # kube-apiserver 1.36 as a relying party says nothing else to whoever presents the token (measured).
    RelyingParty.KUBERNETES: dict.fromkeys(
        [cause for cause in Refusal if cause not in (Refusal.TOO_OLD, Refusal.TOO_LONG)], _UNAUTHORIZED
    ),
    # hashicorp/vault-plugin-auth-jwt and hashicorp/cap; Vault says the same of an absent key and of another one
    # (measured).
    RelyingParty.VAULT: {
        Refusal.WRONG_ISSUER: "invalid issuer (iss) claim",
        Refusal.UNREADABLE: "error checking oidc discovery URL",
        Refusal.UNTRUSTED_TLS: "error checking oidc discovery URL",
        Refusal.NO_KEY: _VAULT_SIGNATURE,
        Refusal.BAD_SIGNATURE: _VAULT_SIGNATURE,
        Refusal.ALGORITHM: _VAULT_SIGNATURE,
        Refusal.AUDIENCE: "audience claim does not match any expected audience",
    },
}
#: What AWS and Google Cloud refuse and the others do not, and what Entra alone refuses.
_TAKES: Mapping[Refusal, frozenset[RelyingParty]] = {
    Refusal.TOO_OLD: frozenset({RelyingParty.AZURE, RelyingParty.KUBERNETES, RelyingParty.VAULT}),
    Refusal.TOO_LONG: frozenset(RelyingParty) - {RelyingParty.AZURE},
}


def first_refusal(party: RelyingParty, causes: frozenset[Refusal]) -> Refusal | None:
    """Return the cause that the party meets first, None where it has no reason to refuse."""
    return next((cause for cause in Refusal if cause in causes and party not in _TAKES.get(cause, frozenset())), None)


def own_words(party: RelyingParty, refusal: Refusal, **parts: str) -> str:
    """Return the party's text for a cause, empty where none is known; `parts` are iss, iat, aud and kid of the token."""
    return _WORDS[party].get(refusal, "").format_map(parts)
