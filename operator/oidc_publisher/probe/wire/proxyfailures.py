"""Translate what aiohttp raises behind a proxy into a FetchError with a reason of the catalogue.

====================================  ===========================  ==================================================
what happened                         what aiohttp raises          reason
====================================  ===========================  ==================================================
the proxy has no address              ClientConnectorDNSError      ProbeUnavailable
the proxy refuses connections         ClientProxyConnectionError   ProbeUnavailable
the proxy answers 502, 503, 504       ClientHttpProxyError         ConnectionFailed: it has not reached the host
the proxy answers 403, 407, others    ClientHttpProxyError         ProbeUnavailable
no tunnel in time                     TimeoutError                 ConnectionFailed
a chain that leads to no root         ClientConnectorCertificate-  ProxyBreaksTLS: nobody sees the host's own certificate
                                      Error
no TLS behind the tunnel              ClientConnectorSSLError      ProxyBreaksTLS
====================================  ===========================  ==================================================

Everything else is the host's, as without a proxy.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import aiohttp

from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason
from oidc_publisher.keys.certificates import UNREADABLE, read_certificate
from oidc_publisher.probe.proxies import Proxy
from oidc_publisher.probe.text import host_of, shown, spoken
from oidc_publisher.probe.wire.port import Deadline

#: RFC 9110, 15.6: a gateway has not got through. 503 is what squid answers where a name or a host does not answer.
_NOT_REACHED = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_UNTIL_THEN = "nothing is said about the issuer until then."


def too_late(url: str, deadline: Deadline, proxy: Proxy) -> FetchError:
    """Return the error for a tunnel or a handshake that did not come in time."""
    message = f"{host_of(url)} is not reached by the proxy {proxy} within {spoken(deadline.timeout)}"
    return FetchError(Reason.ConnectionFailed, message, hint=_look_at(proxy), retryable=True, subject=url)


def failure_behind(error: Exception, url: str, proxy: Proxy) -> FetchError | None:
    """Return the error for what a proxy is the cause of, None for everything else."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _unavailable(f"The name of the proxy {proxy} does not resolve", url)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return _unavailable(f"The proxy {proxy} accepts no connection", url)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _answered(error.status, url, proxy)
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return broken_tls(url, f"What answers for {host_of(url)} by the proxy {proxy} does not speak TLS as hosts do")
    return None


def untrusted(url: str, chain: Sequence[bytes], proxy: Proxy) -> FetchError:
    """Return the error for a chain that leads to no trusted root."""
    return broken_tls(
        url, f"By the proxy {proxy}, {host_of(url)} shows a certificate of {_issuer(chain)}, which is not trusted"
    )


def not_public(url: str, chain: Sequence[bytes], proxy: Proxy) -> str:
    """Return the sentence about a chain that this machine trusts and the public does not."""
    issuer = _issuer(chain)
    return f"By the proxy {proxy}, {host_of(url)} shows a certificate of {issuer}, which this machine trusts and the public does not"


def broken_tls(url: str, message: str) -> FetchError:
    """Return the error of TLS that a proxy breaks."""
    return FetchError(Reason.ProxyBreaksTLS, message, subject=url)


def _answered(status: int, url: str, proxy: Proxy) -> FetchError:
    host = host_of(url)
    if status in _NOT_REACHED:
        message = f"The proxy {proxy} does not reach {host}: it answers {status}"
        return FetchError(Reason.ConnectionFailed, message, hint=_look_at(proxy), retryable=True, subject=url)
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return _unavailable(f"The proxy {proxy} asks for credentials, or refuses those that it was given", url)
    return _unavailable(f"The proxy {proxy} does not let the operator connect to {host}: it answers {status}", url)


def _unavailable(message: str, url: str) -> FetchError:
    hint = f"Correct the proxy or its variable, or name the host in NO_PROXY; {_UNTIL_THEN}"
    return FetchError(Reason.ProbeUnavailable, message, hint=hint, retryable=True, subject=url)


def _look_at(proxy: Proxy) -> str:
    return (
        f"Look whether the host is up and open to the world, and whether the proxy of {proxy.named_by} reaches others."
    )


def _issuer(chain: Sequence[bytes]) -> str:
    try:
        return shown(read_certificate(chain[0]).issuer.rfc4514_string())
    except UNREADABLE:
        return "an unknown CA"
