"""Read what a person gives as an issuer, and say what to give instead. Pure.

No value is repeated unless it is a plain URL: people paste tokens and keys in the wrong place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

import click

from oidc_publisher.cli.parameters import issuer_name

_DOCUMENT = "/.well-known/openid-configuration"
_TOKEN = re.compile(r"(?:bearer\s+)?[\"']?eyJ[A-Za-z0-9_-]+\.", re.IGNORECASE)
#: A host name under a domain, perhaps with a port and a path: a URL that lost its scheme. A token of Vault is none.
_BARE = re.compile(
    r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.([A-Za-z]{2,24}|xn--[a-z0-9-]{1,59})(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?"
)
_OBJECT = re.compile(r"oidc(?:i|issuers?)(?:\.oidc-publisher\.io)?/")
_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class WantedIssuer:
    """What to verify: an issuer by its URL, or the OIDCIssuer of a name; the other one is empty."""

    url: str = ""
    name: str = ""


class WrongURLError(click.ClickException):
    """The text is no issuer; the message says what is expected."""


def wanted_issuer(text: str) -> WantedIssuer:
    """Read URL or oidci/NAME.

    Raises:
        WrongURLError: the text is neither.
    """
    if _OBJECT.match(text):
        try:
            return WantedIssuer(name=issuer_name(text))
        except ValueError:
            _refuse("After oidci/ stands the name of an OIDCIssuer, such as oidci/prod.")
    return WantedIssuer(url=issuer_url(text))


def issuer_url(text: str) -> str:
    """Return the issuer, byte for byte as it was given.

    Raises:
        WrongURLError: relying parties could not use the text as an issuer.
    """
    if _TOKEN.match(text.strip()):
        _refuse(
            "That is a token, not the URL of an issuer. Give the issuer, and the token with --token FILE, or --token -."
        )
    if "PRIVATE KEY" in text or "\n" in text.strip():
        _refuse("That is no URL of an issuer, which is one line such as https://oidc.example.com/prod.")
    if len(text) > _LONGEST:
        _refuse("That is longer than any URL of an issuer.")
    if not text.isascii() or not text.isprintable() or " " in text:
        _refuse(
            "The URL of an issuer has only printable ASCII and no spaces: give it exactly as `iss` in a token has it, and a"
            " host in other letters in its ASCII form (xn--)."
        )
    return _checked(text, _split(text))


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port, parts.hostname
    except ValueError:
        _refuse("That is no URL. An issuer is a URL such as https://oidc.example.com/prod.")
    return parts


def _checked(text: str, parts: SplitResult) -> str:
    if "@" in parts.netloc:
        _refuse("The URL of an issuer has no user information (user@host): no relying party sends it.")
    if parts.scheme != "https" or not text.startswith("https://"):
        _refuse(_without_https(text, parts))
    if not parts.hostname:
        _refuse("That URL has no host. An issuer is a URL such as https://oidc.example.com/prod.")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        what = "fragment (#)" if "#" in text else "query (?)"
        _refuse(
            f"The URL of an issuer has no {what}: that is the address of a page, perhaps of a console. Give the issuer, which"
            " is the `iss` of its tokens."
        )
    if _DOCUMENT in parts.path:
        _refuse(f"That is the URL of the document. Give the issuer itself: {text.partition(_DOCUMENT)[0]}")
    return text


def _without_https(text: str, parts: SplitResult) -> str:
    if parts.scheme.lower() == "https":
        return "The scheme of an issuer is https:// in lower case, because relying parties compare byte for byte."
    if parts.scheme == "http":
        return (
            f"Relying parties read https only. Did you mean https{text[4:] if _BARE.fullmatch(text[7:]) else '://...'}?"
        )
    if _BARE.fullmatch(text):
        return f"That has no scheme. Did you mean https://{text}? For an OIDCIssuer of the cluster give oidci/NAME."
    return "An issuer is a URL such as https://oidc.example.com/prod; an OIDCIssuer of the cluster is oidci/NAME."


def _refuse(message: str) -> NoReturn:
    raise WrongURLError(message)
