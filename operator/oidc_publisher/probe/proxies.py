"""Find the HTTP proxy by which a host is reached: the one that a spec names, or the environment's.

The environment is the choice of who runs the operator. A proxy that an object names is used only where the operator was
told of it (`ProbeProxies`), because whoever writes the object would otherwise choose an address inside of the cluster's
network to which the operator connects.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass

from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason

#: The variables that curl, requests and botocore read for https URLs, in this order.
_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_PORT = 3128
#: The field of an OIDCIssuer that names a proxy.
SPEC_FIELD = "spec.probe.proxyURL"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy is reached at `url` (scheme, host and port); `named_by` is the variable or the field that names it.

    The credentials of a variable are kept apart, so that no message has them.
    """

    url: str
    named_by: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, text: str, named_by: str) -> Self:
        """Return the proxy of a URL, which may lack its scheme and its port, as curl takes it.

        Raises:
            ValueError: the text is no URL of an HTTP proxy.
        """
        parts = urlsplit(text if "://" in text else f"http://{text}")
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("must be the URL of an HTTP proxy, such as http://proxy.example.com:3128")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = parts.port or (80 if "://" in text else _PORT)
        return cls(f"http://{host}:{port}", named_by, unquote(parts.username or ""), unquote(parts.password or ""))

    def __str__(self) -> str:
        return f"{self.url} ({self.named_by})"


def environment_proxy(host: str) -> Proxy | None:
    """Return the environment's proxy for https to `host` (or host:port); None without one, and where NO_PROXY has the host.

    Raises FetchError(ProbeUnavailable) for a variable that names no HTTP proxy.
    """
    named = next((name for name in _VARIABLES if os.environ.get(name)), None)
    if named is None or proxy_bypass(host) or _is_in_a_network(host):
        return None
    try:
        return Proxy.of(os.environ[named], named)
    except ValueError:
        hint = "Correct it; nothing is said about the issuer until then."
        raise FetchError(Reason.ProbeUnavailable, f"{named} names no HTTP proxy", hint=hint) from None


def _is_in_a_network(host: str) -> bool:
    """Return whether NO_PROXY has a network (10.0.0.0/8) that the host, an IP address, is in."""
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    for entry in filter(lambda text: "/" in text, listed.split(",")):
        try:
            if address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:
            continue
    return False


@dataclass(frozen=True, slots=True)
class ProbeProxies:
    """ProbeProxies holds the proxies that `--probe-proxy` allows an object to name, beside the environment's own."""

    allowed: frozenset[str] = frozenset()

    @classmethod
    def listed(cls, urls: Iterable[str]) -> Self:
        """Return the proxies of an allow list; raises ValueError as `Proxy.of` does."""
        return cls(frozenset(Proxy.of(url, "").url for url in urls))

    def named_in(self, url: str) -> Proxy:
        """Return the proxy that an object names.

        Raises:
            FetchError: the operator may not use it (ProxyNotAllowed).
        """
        try:
            proxy = Proxy.of(url, SPEC_FIELD)
        except ValueError as error:
            raise _refused(f"{SPEC_FIELD} {error}", "Correct it.") from None
        if proxy.url in self.allowed or proxy.url in _environment_urls():
            return proxy
        message = f"{SPEC_FIELD} names {proxy.url}, which the operator may not use"
        hint = (
            f"Start the operator with --probe-proxy {proxy.url}, or take the field out: HTTPS_PROXY is used without it."
        )
        raise _refused(message, hint)


def _environment_urls() -> frozenset[str]:
    found = set()
    for name in _VARIABLES:
        try:
            found |= {Proxy.of(os.environ[name], name).url} if os.environ.get(name) else set()
        except ValueError:
            continue
    return frozenset(found)


def _refused(message: str, hint: str) -> FetchError:
    return FetchError(Reason.ProxyNotAllowed, message, hint=hint)
