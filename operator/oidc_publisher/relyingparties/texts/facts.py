"""Facts of a pasted text that a check needs: the issuer, the kid, the role. No secret is among them. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# A URL ends where the next one begins, else a text of many without blanks is read to its end from each of them.
_URL = r"https://(?:(?!https://)[^\s\"'<>`,|\\)\]])+"
_ISSUERS = (
    re.compile(rf"issuer\s*(?:URL)?\s*[:=-]?\s*[\"'`]?({_URL})", re.IGNORECASE),
    re.compile(rf"\"iss\": \"({_URL})\""),
    re.compile(rf"({_URL}?)/\.well-known/openid-configuration"),
    re.compile(rf"({_URL}?)/(?:openid/v1/jwks|keys\.json)\b"),
)
_KIDS = (re.compile(r"\bkid\b[\"':= (]+([\w-]{8,128})(?![\w.])", re.IGNORECASE),)
_ROLE = re.compile(r"\barn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}")
_SUBJECT = re.compile(r"\bsystem:serviceaccount:[a-z0-9-]{1,63}:[a-z0-9.-]{1,253}")
_AUDIENCE = re.compile(r"Assertion Audience: '([\w:/.-]{1,200})'")
_TOKEN = re.compile(r"\b(eyJ[\w-]{8,})\.(eyJ[\w-]{8,})\.[\w-]*")
_KID_BYTES = 32  # kube-apiserver's kids are SHA-256 sums
_SAFE_KID = re.compile(r"[\w.:=+/-]{1,128}")


@dataclass(frozen=True, slots=True)
class TextFacts:
    """The facts of a text; each is empty where the text does not have it."""

    issuer_url: str = ""
    key_id: str = ""
    role: str = ""
    subject: str = ""
    audience: str = ""


def facts_of(plain: str, named: Mapping[str, str]) -> TextFacts:
    """Return the facts of a text that `plain_text` made plain; `named` are the changing parts of the text that was found."""
    header, claims = _of_a_token(plain)
    audiences = claims.get("aud")
    audience = audiences[0] if isinstance(audiences, list) and audiences else audiences
    return TextFacts(
        issuer_url=_first(map(_issuer, (named.get("issuer", ""), *_found(_ISSUERS, plain), _text(claims.get("iss"))))),
        key_id=_first(
            map(
                _key_id,
                (
                    named.get("kid", ""),
                    _from_hex(named.get("hexkid", "")),
                    *_found(_KIDS, plain),
                    _text(header.get("kid")),
                ),
            )
        ),
        role=_first(_found((_ROLE,), plain)).rstrip(".,"),
        subject=_first(_found((_SUBJECT,), plain)).rstrip(".") or _text(claims.get("sub")),
        audience=_first(_found((_AUDIENCE,), plain)) or _text(audience),
    )


def _found(patterns: Iterable[re.Pattern[str]], text: str) -> Iterator[str]:
    return (match[match.lastindex or 0] for pattern in patterns for match in pattern.finditer(text))


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")


def _issuer(text: str) -> str:
    """Return the issuer URL, empty for what is none or may hold a secret: user info, a query or a fragment."""
    url = text.rstrip(".,;:)")
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    secret = "@" in parts.netloc or parts.query or parts.fragment
    return url if parts.scheme == "https" and parts.hostname and not secret else ""


def _key_id(text: str) -> str:
    """Return the kid, empty for a text that cannot be one or looks like a token."""
    return text if _SAFE_KID.fullmatch(text) and not text.startswith("eyJ") else ""


def _from_hex(digits: str) -> str:
    """Return the kid that Entra prints as hexadecimal digits, the digits themselves where they are no SHA-256 sum."""
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return digits
    return base64.urlsafe_b64encode(raw).decode().rstrip("=") if len(raw) == _KID_BYTES else digits


def hex_kid(key_id: str) -> str:
    """Return a kid as Entra prints it, empty where it is not of the form that Entra prints as hexadecimal digits."""
    try:
        raw = base64.urlsafe_b64decode(key_id + "=" * (-len(key_id) % 4))
    except ValueError:
        return ""
    return raw.hex().upper() if len(raw) == _KID_BYTES else ""


def _of_a_token(text: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return header and claims of the last token in the text, both empty without one."""
    tokens = _TOKEN.findall(text)
    return (_decoded(tokens[-1][0]), _decoded(tokens[-1][1])) if tokens else ({}, {})


def _decoded(part: str) -> Mapping[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """Return a member of a token where it is a text that a person can read."""
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 512 else ""  # noqa: PLR2004 - a line or two
