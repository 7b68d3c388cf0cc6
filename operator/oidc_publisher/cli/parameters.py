"""Parsers of values on the command line; each refuses a wrong value with a sentence that says what is right."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta

import click

#: A DNS label, as the API server checks the name of a namespace; labels with dots between them name a ServiceAccount.
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAMESPACED_NAME = re.compile(rf"{_LABEL}/{_LABEL}(\.{_LABEL})*")
#: NAME, or NAME with the resource in front as kubectl prints it (oidcissuer.oidc-publisher.io/prod).
_ISSUER = re.compile(rf"((oidci|oidcissuers?)(\.oidc-publisher\.io)?/)?(?P<name>{_LABEL}(\.{_LABEL})*)")
#: As spec.probe.proxyURL has it.
_PROXY = re.compile(r"http://[A-Za-z0-9.\[\]:-]+:[0-9]{1,5}")

Callback = Callable[[click.Context, click.Parameter, str | None], object]


def parsed(parse: Callable[[str], object]) -> Callback:
    """Make the callback of an option whose text `parse` understands, or refuses with a ValueError."""

    def callback(_context: click.Context, _parameter: click.Parameter, text: str | None) -> object:
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(f"{text!r} {error}.") from None

    return callback


def each(parse: Callable[[str], object]) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], object]:
    """Make the callback of an option that may be given several times, whose texts `parse` understands."""
    one = parsed(parse)

    def callback(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> object:
        return tuple(one(context, parameter, text) for text in texts)

    return callback


def host_name(text: str) -> str:
    """Read a name as it stands in a certificate: a DNS name or an IP address.

    Raises:
        ValueError: the text is neither.
    """
    lower = text.lower()
    if re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", lower):
        return lower
    try:
        return str(ipaddress.ip_address(lower))
    except ValueError:
        raise ValueError("must be a DNS name or an IP address, without a port") from None


def namespaced_name(text: str) -> tuple[str, str]:
    """Read NAMESPACE/NAME.

    Raises:
        ValueError: the text has another form.
    """
    if not _NAMESPACED_NAME.fullmatch(text):
        raise ValueError("must be NAMESPACE/NAME, such as oidc-publisher/oidc-publisher-probe")
    namespace, _, name = text.partition("/")
    return namespace, name


def issuer_name(text: str) -> str:
    """Read NAME or oidci/NAME.

    Raises:
        ValueError: the text has another form.
    """
    found = _ISSUER.fullmatch(text)
    if found is None:
        raise ValueError("must be the name of an OIDCIssuer, such as prod or oidci/prod")
    return found["name"]


def store_endpoint(text: str) -> str:
    """Read the URL of a server.

    Raises:
        ValueError: the text is no URL, or has a path.
    """
    from oidc_publisher.stores.storeendpoints import Server  # noqa: PLC0415 - cryptography; --help needs none of it

    Server.parse(text)
    return text


def http_proxy(text: str) -> str:
    """Read the URL of an HTTP proxy.

    Raises:
        ValueError: the text has another form.
    """
    if not _PROXY.fullmatch(text):
        raise ValueError("must be http://HOST:PORT, such as http://proxy.example.com:3128")
    return text


def timeout(text: str) -> timedelta:
    """Read a duration that is longer than zero.

    Raises:
        ValueError: the text is no duration, or is zero.
    """
    from oidc_publisher.api import parse_duration  # noqa: PLC0415 - pydantic costs a tenth of a second; --help needs none of it

    duration = parse_duration(text)
    if not duration:
        raise ValueError("must be longer than no time at all, such as 30s or 5m")
    return duration
