"""Translate every exception of aiohttp into a FetchError with a reason of the catalogue.

====================================  ===========================  ==================================================
what happened                         what aiohttp raises          reason
====================================  ===========================  ==================================================
no such name                          ClientConnectorDNSError      NameNotResolved
the resolver does not answer          the same, EAI_AGAIN          ProbeUnavailable, or NameNotResolved where it
                                                                   answers for the top-level domain
a private address                     either connector error       PrivateAddress
the kernel has no route               ClientConnectorError         ProbeUnavailable (nothing was sent)
refused, unreachable, reset           ClientConnectorError         ConnectionFailed
no connection in time                 TimeoutError                 ConnectionFailed; ProbeUnavailable while resolving
no answer in time                     TimeoutError                 TooSlow
expired, other name, untrusted        ClientConnectorCertificate-  CertificateExpired, CertificateNameMismatch,
                                      Error                        CertificateUntrusted, CertificateChainIncomplete
no common version or cipher           ClientConnectorSSLError      TLSVersionUnsupported
no TLS, no HTTP, a broken transfer    several                      ConnectionFailed
====================================  ===========================  ==================================================

A network policy or firewall that drops the operator's packets cannot be told from a host that is down. Both are
ConnectionFailed, whose hint says so. What fails behind a proxy is translated by `proxyfailures`.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

import aiohttp

from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason
from oidc_publisher.probe.text import host_of, spoken
from oidc_publisher.probe.wire.addresses import LOCAL_ERRNOS, Gate, PrivateAddressError
from oidc_publisher.probe.wire.port import Deadline

# X509_V_ERR_* of OpenSSL (x509_vfy.h).
_NOT_YET_VALID = 9
_VERIFY_NAMES: Mapping[int, tuple[Reason, str]] = {
    _NOT_YET_VALID: (Reason.CertificateExpired, "is not yet valid"),
    10: (Reason.CertificateExpired, "has expired"),
    18: (Reason.CertificateUntrusted, "is signed by nobody but itself"),
    19: (Reason.CertificateUntrusted, "comes from a root that is not trusted"),
    62: (Reason.CertificateNameMismatch, "is for another name"),
    64: (Reason.CertificateNameMismatch, "is for another name than this IP address"),
}
_NOT_YET = "Look at the clocks of the host and of whoever issued it, and serve the former certificate until then."
#: "unable to get (local) issuer certificate", "unable to verify the first certificate": the sent chain shows the cause.
CHAIN_CODES = frozenset({2, 20, 21})
_UNTRUSTED_CODES = CHAIN_CODES | {18, 19}

_NO_COMMON_TLS = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "HANDSHAKE_FAILURE", "NO_SHARED_CIPHER")
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")

_SILENT_RESOLVER = frozenset({socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM})


def is_silent_resolver(error: BaseException) -> bool:
    """Return whether the resolver gave no answer, so that another query must show whether the resolver is broken."""
    return (
        isinstance(error, aiohttp.ClientConnectorDNSError)
        and isinstance(error.os_error, socket.gaierror)
        and error.os_error.errno in _SILENT_RESOLVER
    )


def is_chain_question(error: BaseException) -> bool:
    """Return whether only the certificates that the host sends can show the cause."""
    return isinstance(error, aiohttp.ClientConnectorCertificateError) and _verify_code(error) in CHAIN_CODES


def is_untrusted_chain(error: BaseException) -> bool:
    """Return whether a chain was refused that leads to no trusted root, whatever the reason for that is."""
    return isinstance(error, aiohttp.ClientConnectorCertificateError) and _verify_code(error) in _UNTRUSTED_CODES


def too_late(url: str, deadline: Deadline, gate: Gate, *, connected: bool) -> FetchError:
    """Return the error for a deadline that passed, by the step that the visit was waiting for."""
    host = host_of(url)
    if connected:
        message = f"{url} was not read within {spoken(deadline.timeout)} (both documents together)"
        return FetchError(Reason.TooSlow, message, retryable=True, subject=url)
    if gate.resolved:
        return _no_connection(url, f"{host} accepts no TLS connection within {spoken(deadline.timeout)}")
    return silent_resolver(url)


def no_time_to_look(url: str) -> FetchError:
    """Return the error for a deadline that passed while the reader itself hardly ran: nothing is known of the host."""
    hint = "Give the operator more CPU time; nothing is said about the issuer until then."
    message = f"The operator has too little CPU time to tell how long {host_of(url)} takes"
    return FetchError(Reason.ProbeUnavailable, message, hint=hint, retryable=True, subject=url)


def silent_resolver(url: str) -> FetchError:
    """Return the error for a resolver that gives no answer."""
    return _no_network(url, f"The operator's resolver gives no answer for {host_of(url)}")


def _no_network(url: str, said: str) -> FetchError:
    """Return the error for a defect of the operator's own network."""
    return FetchError(Reason.ProbeUnavailable, said, retryable=True, subject=url)


def no_name(url: str, message: str, *, hint: str = "") -> FetchError:
    """Return the error for a name without an address."""
    return FetchError(Reason.NameNotResolved, message, hint=hint, retryable=True, subject=url)


def broken_zone(url: str) -> FetchError:
    """Return the error for a name whose own name servers do not answer, though the resolver does."""
    message = f"The name servers of {host_of(url)} do not answer"
    hint = "Look at the delegation and the name servers of its zone (and DNSSEC)."
    return no_name(url, message, hint=hint)


def failure_of(error: Exception, url: str) -> FetchError:
    """Return the error for any exception that aiohttp raised."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate(error, url)
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return _handshake(error, url)
    if isinstance(error, aiohttp.ClientConnectorError):  # the parent of both, and of ClientConnectorDNSError
        return _connection(error, url)
    if isinstance(error, PrivateAddressError):
        return _private(error, url)
    if isinstance(error, UnicodeError):  # a label of the host cannot be part of a DNS query
        return FetchError(Reason.NameNotResolved, f"{host_of(url)} is no host name", subject=url)
    return FetchError(Reason.ConnectionFailed, _transfer(error, url), retryable=True, subject=url)


def _connection(error: aiohttp.ClientConnectorError, url: str) -> FetchError:
    cause, host = error.os_error, host_of(url)
    if isinstance(cause, PrivateAddressError):
        return _private(cause, url)
    if isinstance(cause, socket.gaierror):
        return no_name(url, f"{host} does not resolve")
    if cause.errno in LOCAL_ERRNOS:
        return _no_network(url, f"The operator has no way to {host}: {cause.strerror}")
    detail = {ConnectionRefusedError: "refuses connections", ConnectionResetError: "resets the connection"}
    said = next((text for kind, text in detail.items() if isinstance(cause, kind)), "accepts no connection")
    return _no_connection(url, f"{host} {said}")


def _no_connection(url: str, message: str) -> FetchError:
    hint = (
        "Look whether every address of the host is up and open to the world, and whether the operator's network policy "
        "lets it out."
    )
    return FetchError(Reason.ConnectionFailed, message, hint=hint, retryable=True, subject=url)


def _private(error: PrivateAddressError, url: str) -> FetchError:
    host = host_of(url)
    message = f"{host} is at the private address {error.strerror}, which relying parties cannot reach"
    return FetchError(Reason.PrivateAddress, message, subject=url)


def _verify_code(error: aiohttp.ClientConnectorCertificateError) -> int:
    code = getattr(error.certificate_error, "verify_code", 0)
    return code if isinstance(code, int) else 0


def verify_message(error: aiohttp.ClientConnectorCertificateError) -> str:
    """Return why OpenSSL refuses a certificate, without the names that follow a comma."""
    said = str(getattr(error.certificate_error, "verify_message", "")) or "not acceptable"
    return said.partition(",")[0]


def _certificate(error: aiohttp.ClientConnectorCertificateError, url: str) -> FetchError:
    reason, meaning = _VERIFY_NAMES.get(
        _verify_code(error), (Reason.CertificateUntrusted, f"is refused: {verify_message(error)}")
    )
    hint = _NOT_YET if _verify_code(error) == _NOT_YET_VALID else ""
    return FetchError(reason, f"The certificate of {host_of(url)} {meaning}", hint=hint, subject=url)


def _handshake(error: aiohttp.ClientConnectorSSLError, url: str) -> FetchError:
    host, said = host_of(url), str(getattr(error.os_error, "reason", None) or "")
    if any(name in said for name in _NO_COMMON_TLS):
        message = (
            f"{host} refuses the TLS 1.2 handshake (no TLS 1.2, no common cipher, or no certificate for this name)"
        )
        return FetchError(Reason.TLSVersionUnsupported, message, subject=url)
    if "UNRECOGNIZED_NAME" in said:
        return FetchError(Reason.CertificateNameMismatch, f"{host} has no certificate for this name", subject=url)
    if any(name in said for name in _NO_TLS):
        return FetchError(Reason.ConnectionFailed, f"What answers at {host} does not speak TLS", subject=url)
    message = f"{host} breaks the TLS handshake ({said or 'without a reason'})"
    return FetchError(Reason.ConnectionFailed, message, retryable=True, subject=url)


def _transfer(error: Exception, url: str) -> str:
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"{url} ends in the middle of the document"
    if isinstance(error, aiohttp.ClientResponseError):  # status 400, but no server has sent it
        return f"What answers at {url} is not HTTP"
    if isinstance(error, aiohttp.InvalidURL):
        return f"{url} is no URL that can be read"
    if isinstance(error, ssl.SSLError):
        return f"{host_of(url)} breaks the TLS connection"
    return f"{host_of(url)} closes the connection without an answer"
