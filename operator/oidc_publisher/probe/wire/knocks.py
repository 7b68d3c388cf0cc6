"""Connect to every address of a host and read its certificate, without a request. This module decides nothing.

The probe finds the causes of failures. A knock shows a person at which address, at which step and after how long.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from oidc_publisher.keys.certificates import UNREADABLE, read_certificate
from oidc_publisher.probe.publicaddresses import is_public
from oidc_publisher.probe.wire.addresses import LOCAL_ERRNOS, Gate, PrivateAddressError, addresses_of
from oidc_publisher.probe.wire.chain import sent_chain
from oidc_publisher.probe.wire.trust import Trust


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """A shown certificate is what a host presents, whether it is trusted or not.

    `subject` and `issuer` are names as RFC 4514 writes them, `names` the DNS names and addresses that the certificate is
    for. `chain_length` counts the certificates that the host sends.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    signature: str
    chain_length: int


@dataclass(frozen=True, slots=True)
class Knock:
    """A knock is one connection to one address; times are None for steps that were not reached.

    `resolved` is the time of the name resolution, which all addresses share. `tls_version` is the one that a current
    client gets. `routed` is False where this machine has no way to the address, which says nothing about the host.
    `problem` names the step that failed and why, empty where none did.
    """

    address: str
    public: bool
    resolved: timedelta
    routed: bool = True
    connected: timedelta | None = None
    shaken: timedelta | None = None
    tls_version: str = ""
    cipher: str = ""
    certificate: ShownCertificate | None = None
    problem: str = ""


async def knock_at_all(host: str, port: int, gate: Gate, trust: Trust, limit: timedelta) -> tuple[Knock, ...]:
    """Connect to every address of `host` at once, with the probe's own TLS contexts; empty where the name has none.

    An address that the gate refuses, or that this machine has no route to, is not connected to.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(limit.total_seconds()):
            addresses = await addresses_of(host, port, pinned=gate.pinned)
    except (OSError, UnicodeError, TimeoutError):
        return ()
    resolved = timedelta(seconds=loop.time() - began)
    knocks = (_knock(host, (family, address, port), gate, trust, limit, resolved) for family, address in addresses)
    return tuple(await asyncio.gather(*knocks))


async def _knock(
    host: str, at: tuple[int, str, int], gate: Gate, trust: Trust, limit: timedelta, resolved: timedelta
) -> Knock:
    _, address, _ = at
    seen: dict[str, Any] = {"address": address, "public": is_public(address), "resolved": resolved}
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await _connect(host, at, gate, trust, seen)
    except PrivateAddressError:
        seen["problem"] = "not connected to: a private address"
    except TimeoutError:
        step = "no TLS handshake" if "connected" in seen else "no connection"
        seen["problem"] = f"{step} within {limit.total_seconds():g} s"
    except OSError as error:
        seen["routed"] = error.errno not in LOCAL_ERRNOS
        seen["problem"] = _step(error, connected="connected" in seen) if seen["routed"] else "no route from here"
    return Knock(**seen)


async def _connect(host: str, at: tuple[int, str, int], gate: Gate, trust: Trust, seen: dict[str, Any]) -> None:
    try:
        await _shake(host, at, gate, trust.current, seen)
    except ssl.SSLCertVerificationError as error:
        seen["problem"] = f"certificate refused: {error.verify_message.partition(',')[0]}"
        await _shake(host, at, gate, trust.unverified, seen)  # only to show which certificate was refused


async def _shake(
    host: str, at: tuple[int, str, int], gate: Gate, context: ssl.SSLContext, seen: dict[str, Any]
) -> None:
    loop = asyncio.get_running_loop()
    family, address, port = at
    target = socket.getaddrinfo(address, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0]
    opened = gate.open_socket(target)
    try:
        opened.setblocking(False)  # noqa: FBT003 - socket's signature
        began = loop.time()
        await loop.sock_connect(opened, target[4])
        seen["connected"] = timedelta(seconds=loop.time() - began)
        began = loop.time()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=opened, ssl=context, server_hostname=host)
        seen["shaken"] = timedelta(seconds=loop.time() - began)
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        seen["tls_version"], seen["cipher"] = tls.version() or "", (tls.cipher() or ("",))[0]
        seen["certificate"] = _shown(sent_chain(tls) or _own(tls))
        transport.abort()
    finally:
        opened.close()


def _own(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    der = tls.getpeercert(binary_form=True)
    return (der,) if der else ()


def _shown(chain: tuple[bytes, ...]) -> ShownCertificate | None:
    try:
        certificate = read_certificate(chain[0])
        return ShownCertificate(
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            names=_names(certificate),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc.astimezone(UTC),
            signature=(certificate.signature_hash_algorithm.name if certificate.signature_hash_algorithm else ""),
            chain_length=len(chain),
        )
    except UNREADABLE:
        return None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(str(name.value) for name in named if isinstance(name, x509.DNSName | x509.IPAddress))


def _step(error: OSError, *, connected: bool) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refuses connections"
    if isinstance(error, ConnectionResetError):
        return "resets the connection in the TLS handshake" if connected else "resets the connection"
    if isinstance(error, ssl.SSLError):
        return f"TLS handshake fails: {str(error.reason or 'without a reason').replace('_', ' ').lower()}"
    return f"{'TLS handshake fails' if connected else 'not connected to'}: {error.strerror or 'no reason given'}"
