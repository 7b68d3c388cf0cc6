"""Evaluate a provider of a Google Cloud workload identity pool, or its attribute condition alone. Pure.

Source: Google Cloud, "Configure Workload Identity Federation with other identity providers".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oidc_publisher.api import RelyingParty
from oidc_publisher.keys.strictjson import quoted
from oidc_publisher.relyingparties.roletrust.celsubset import Expression, NoValueError, OutsideError, parsed
from oidc_publisher.relyingparties.roletrust.judged import Presented, RoleTrust, TrustCondition, equal, texts_of

#: google.subject may have this many bytes.
_SUBJECT_BYTES = 127
_OUTSIDE = "cannot be judged here: it uses more of CEL than comparisons and the methods of strings"


def judge_condition(text: str, token: Presented) -> RoleTrust:
    """Judge an attribute condition alone; without the mapping, google.subject is taken to be assertion.sub."""
    return RoleTrust(RelyingParty.GCP, "the attribute condition", tuple(_condition(text, token, {})))


def judge_provider(provider: Mapping[str, Any], token: Presented) -> RoleTrust:
    """Judge a provider as `gcloud iam workload-identity-pools providers describe` writes it."""
    return RoleTrust(RelyingParty.GCP, "the provider", tuple(_provider(provider, token)))


def _provider(provider: Mapping[str, Any], token: Presented) -> Iterator[TrustCondition]:
    settings = provider.get("oidc")
    settings = settings if isinstance(settings, dict) else {}
    issuer = texts_of(settings.get("issuerUri"))
    if issuer:
        yield equal(f"issuerUri is {quoted(issuer[0])}", issuer, (str(token.claims.get("iss", "")),))
    allowed = texts_of(settings.get("allowedAudiences"))
    name = str(provider.get("name") or "")
    if not allowed and name:  # without a list, the provider's own name is the audience
        allowed = (f"//iam.googleapis.com/{name}", f"https://iam.googleapis.com/{name}")
    if allowed:
        yield equal(f"allowed audiences are {', '.join(map(quoted, allowed))}", allowed, token.audiences)
    mapping = provider.get("attributeMapping")
    mapping = mapping if isinstance(mapping, dict) else {}
    yield from _mapped_subject(mapping, token)
    yield from _condition(str(provider.get("attributeCondition") or ""), token, mapping)


def _mapped_subject(mapping: Mapping[str, Any], token: Presented) -> Iterator[TrustCondition]:
    what = f"google.subject has at most {_SUBJECT_BYTES} bytes"
    try:
        subject = _names(token, mapping)["google"]["subject"]
    except KeyError:
        return
    size = len(str(subject).encode())
    yield TrustCondition(what, holds=size <= _SUBJECT_BYTES, found=f"it has {size}")


def _condition(text: str, token: Presented, mapping: Mapping[str, Any]) -> Iterator[TrustCondition]:
    if not text.strip():
        return
    try:
        whole = parsed(text)
    except (OutsideError, RecursionError):
        yield TrustCondition(text.strip(), holds=None, found=_OUTSIDE)
        return
    names = _names(token, mapping)
    for part in whole.parts or (whole,):
        yield _judged(text[part.start : part.end], part, names)


def _judged(text: str, part: Expression, names: Mapping[str, Any]) -> TrustCondition:
    try:
        holds = part.value(names) is True
    except NoValueError:
        return TrustCondition(text, holds=False, found="the token has no such claim, or one of another type")
    except (OutsideError, TypeError, RecursionError):
        return TrustCondition(text, holds=None, found=_OUTSIDE)
    return TrustCondition(text, holds=holds, found="it is so" if holds else _why(text, names))


def _why(text: str, names: Mapping[str, Any]) -> str:
    """Return what the token has for the claims that a condition names."""
    has = [
        f"{name} is {', '.join(map(quoted, texts_of(value))) or 'of another type'}"
        for prefix in ("assertion", "google", "attribute")
        for claim, value in dict(names.get(prefix, {})).items()
        if (name := f"{prefix}.{claim}") in text or f"{prefix}['{claim}']" in text or f'{prefix}["{claim}"]' in text
    ]
    return f"the token's {' and '.join(has)}" if has else "it is not so"


def _names(token: Presented, mapping: Mapping[str, Any]) -> dict[str, Any]:
    names: dict[str, Any] = {"assertion": dict(token.claims), "google": {}, "attribute": {}}
    if not mapping and "sub" in token.claims:
        names["google"]["subject"] = token.claims["sub"]
    for target, expression in mapping.items():
        prefix, _, attribute = str(target).partition(".")
        try:
            value = parsed(str(expression)).value({"assertion": names["assertion"]})
        except (OutsideError, NoValueError, TypeError, RecursionError):
            continue
        if prefix in names and prefix != "assertion":
            names[prefix][attribute] = value
    return names
