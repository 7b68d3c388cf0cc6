"""Evaluate a provider of a Google Cloud workload identity pool, or its attribute condition alone. Pure.

Source: Google Cloud, "Configure Workload Identity Federation with other identity providers".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oidc_publisher.api import RelyingParty
from oidc_publisher.keys.strictjson import quoted
from oidc_publisher.relyingparties.roletrust.celsubset import Expression, parsed
from oidc_publisher.relyingparties.roletrust.celvalues import NoValueError, OutsideError, PartlyKnown, UnmappedError
from oidc_publisher.relyingparties.roletrust.judged import Presented, RoleTrust, TrustCondition, equal, texts_of

#: google.subject may have this many bytes.
_SUBJECT_BYTES = 127
_OUTSIDE = "cannot be judged here: it uses more of CEL than comparisons and the methods of strings"
_UNMAPPED = (
    "cannot be judged here: the provider's attributeMapping says what it is. Give the provider as gcloud describes it"
)


def judge_condition(text: str, token: Presented) -> RoleTrust:
    """Judge an attribute condition alone; what a mapping would say is left open, google.subject among it."""
    return RoleTrust(RelyingParty.GCP, "the attribute condition", tuple(_condition(text, _names(token, None))))


def judge_provider(provider: Mapping[str, Any], token: Presented) -> RoleTrust:
    """Judge a provider as `gcloud iam workload-identity-pools providers describe` writes it."""
    return RoleTrust(RelyingParty.GCP, "the provider", tuple(_provider(provider, token)))


def _provider(provider: Mapping[str, Any], token: Presented) -> Iterator[TrustCondition]:
    if provider.get("disabled") is True or provider.get("state") == "DELETED":
        yield TrustCondition("the provider is in use", holds=False, found="it is disabled or deleted")
    settings = provider.get("oidc")
    settings = settings if isinstance(settings, dict) else {}
    if settings.get("jwksJson"):
        found = "cannot be judged here: Google Cloud compares with the uploaded keys and not with those that are served"
        yield TrustCondition("oidc.jwksJson has the token's key", holds=None, found=found)
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
    names = _names(token, mapping if isinstance(mapping, dict) and mapping else None)
    yield _mapped_subject(names)
    yield from _condition(str(provider.get("attributeCondition") or ""), names)


def _mapped_subject(names: Mapping[str, Any]) -> TrustCondition:
    what = f"google.subject has at most {_SUBJECT_BYTES} bytes"
    try:
        subject = names["google"]["subject"]
    except (OutsideError, UnmappedError) as open_:
        return TrustCondition(what, holds=None, found=_why_open(open_))
    except KeyError:
        return TrustCondition(what, holds=False, found="it has none: the token has no claim that is mapped to it")
    if not isinstance(subject, str) or not subject:
        return TrustCondition(what, holds=False, found="it is no text, or an empty one")
    size = len(subject.encode())
    return TrustCondition(what, holds=size <= _SUBJECT_BYTES, found=f"it has {size}")


def _condition(text: str, names: Mapping[str, Any]) -> Iterator[TrustCondition]:
    if not text.strip():
        return
    try:
        whole = parsed(text)
    except (OutsideError, RecursionError):
        yield TrustCondition(text.strip(), holds=None, found=_OUTSIDE)
        return
    for part in whole.parts or (whole,):
        yield _judged(text[part.start : part.end], part, names)


def _judged(text: str, part: Expression, names: Mapping[str, Any]) -> TrustCondition:
    try:
        holds = part.value(names) is True
    except NoValueError:
        return TrustCondition(text, holds=False, found="the token has no such claim, or one of another type")
    except (OutsideError, UnmappedError, TypeError, RecursionError) as open_:
        return TrustCondition(text, holds=None, found=_why_open(open_))
    return TrustCondition(text, holds=holds, found="it is so" if holds else _why(text, names))


def _why_open(error: Exception) -> str:
    return _UNMAPPED if isinstance(error, UnmappedError) else _OUTSIDE


def _why(text: str, names: Mapping[str, Any]) -> str:
    """Return what the token has for the claims that a condition names."""
    has = [
        f"{name} is {', '.join(map(quoted, texts_of(value))) or 'of another type'}"
        for prefix in ("assertion", "google", "attribute")
        for claim, value in dict(names.get(prefix, {})).items()
        if (name := f"{prefix}.{claim}") in text or f"{prefix}['{claim}']" in text or f'{prefix}["{claim}"]' in text
    ]
    return f"the token's {' and '.join(has)}" if has else "it is not so"


def _names(token: Presented, mapping: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what an expression can name; without a mapping (None) only the claims are known."""
    unknown: dict[str, set[str]] = {"google": set(), "attribute": set()}
    names: dict[str, Any] = {"assertion": dict(token.claims)}
    names |= {prefix: PartlyKnown(None if mapping is None else unknown[prefix]) for prefix in unknown}
    for target, expression in (mapping or {}).items():
        prefix, _, attribute = str(target).partition(".")
        try:
            value = parsed(str(expression)).value({"assertion": names["assertion"]})
        except NoValueError:
            continue
        except (OutsideError, TypeError, RecursionError):
            unknown.get(prefix, set()).add(attribute)
            continue
        if prefix in unknown:
            names[prefix][attribute] = value
    return names
