"""Faults of the TLS handshake and of the certificate."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable
from typing import Any

from oidc_publisher.findings import Reason
from tests.gallery.case import Case, Fault, Verdict
from tests.gallery.material import Certificates, server_context
from tests.support.hosts import Connection, Script
from tests.support.pki import Certificate

_DAY = dt.timedelta(days=1)
_CLIENT_HELLO_BYTES = 65536
#: A fatal alert unrecognized_name (RFC 8446, 6.2) in a record of TLS 1.2.
_UNRECOGNIZED_NAME = bytes.fromhex("15 0303 0002 02 70")
_TLS_1_1 = ssl.TLSVersion.TLSv1_1
#: Authenticated by HMAC with SHA-1; Python's and every browser's list of ciphers leaves it out.
_OLD_CIPHER = "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0"


def _bare(script: Script) -> Fault:
    return lambda place: place.speak(None, script)


def _hangs(connection: Connection, head: bytes) -> None:
    del head
    connection.wait_for_end()


def _resets(connection: Connection, head: bytes) -> None:
    del head
    connection.raw.recv(_CLIENT_HELLO_BYTES)
    connection.reset()


def _alerts(connection: Connection, head: bytes) -> None:
    del head
    connection.raw.recv(_CLIENT_HELLO_BYTES)
    connection.send(_UNRECOGNIZED_NAME)


def _plain(connection: Connection, head: bytes) -> None:
    del head
    connection.raw.recv(_CLIENT_HELLO_BYTES)
    connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def _with(make: Callable[[Certificates], Certificate], **settings: Any) -> Fault:
    return lambda place: place.speak(server_context(make(place.certificates), **settings))


def _lasting(begin: dt.timedelta, end: dt.timedelta) -> Callable[[Certificates], Certificate]:
    def make(certificates: Certificates) -> Certificate:
        now = dt.datetime.now(dt.UTC)
        return certificates.issued(not_before=now + begin, not_after=now + end)

    return make


CASES = (
    Case(
        "handshake-hangs",
        "the host accepts connections and says nothing",
        _bare(_hangs),
        Reason.ConnectionFailed,
        timeout_s=1,
    ),
    Case("handshake-reset", "the connection is reset in the TLS handshake", _bare(_resets), Reason.ConnectionFailed),
    Case("no-tls", "the port speaks plain HTTP", _bare(_plain), Reason.ConnectionFailed),
    Case(
        "name-unrecognized",
        "the host has no certificate for the name and says so",
        _bare(_alerts),
        Reason.CertificateNameMismatch,
    ),
    Case(
        "tls-1.1",
        "the host speaks TLS 1.1 and nothing newer",
        _with(Certificates.issued, minimum_version=_TLS_1_1, maximum_version=_TLS_1_1, ciphers="ALL:@SECLEVEL=0"),
        Reason.TLSVersionUnsupported,
    ),
    Case(
        "tls-1.3-only",
        "the host speaks TLS 1.3 and nothing older",
        _with(Certificates.issued, minimum_version=ssl.TLSVersion.TLSv1_3),
        Reason.TLSVersionUnsupported,
    ),
    Case(
        "cipher-sha1",
        "the host has one cipher, with HMAC-SHA1",
        _with(Certificates.issued, maximum_version=ssl.TLSVersion.TLSv1_2, ciphers=_OLD_CIPHER),
        Reason.TLSVersionUnsupported,
    ),
    Case(
        "certificate-expired",
        "the certificate ended yesterday",
        _with(_lasting(-30 * _DAY, -_DAY)),
        Reason.CertificateExpired,
    ),
    Case(
        "certificate-not-yet-valid",
        "the certificate begins tomorrow",
        _with(_lasting(_DAY, 30 * _DAY)),
        Reason.CertificateExpired,
    ),
    Case(
        "certificate-ends-soon",
        "the certificate ends in three days",
        _with(_lasting(-30 * _DAY, 3 * _DAY)),
        Reason.CertificateExpiring,
        verdict=Verdict.WARNED,
    ),
    Case(
        "certificate-other-host",
        "the certificate is for another host",
        _with(lambda c: c.issued("other.test")),
        Reason.CertificateNameMismatch,
    ),
    Case(
        "certificate-self-signed",
        "the certificate is signed by itself",
        _with(lambda c: c.pki.self_signed()),
        Reason.CertificateUntrusted,
    ),
    Case(
        "certificate-unknown-ca",
        "the certificate is from a CA that nobody knows",
        _with(lambda c: c.pki.untrusted()),
        Reason.CertificateUntrusted,
    ),
    Case(
        "chain-incomplete",
        "the intermediate certificate is not sent",
        _with(lambda c: c.public.serving(chain=False)),
        Reason.CertificateChainIncomplete,
    ),
    Case(
        "certificate-weak-key",
        "the certificate's key is RSA of 1024 bits",
        _with(Certificates.weak_key),
        Reason.CertificateUntrusted,
    ),
    Case(
        "certificate-sha1",
        "the certificate is signed with SHA-1",
        _with(Certificates.sha1),
        Reason.CertificateUntrusted,
    ),
    Case(
        "certificate-common-name",
        "the certificate names the host in its common name alone",
        _with(Certificates.common_name),
        Reason.CertificateNameMismatch,
    ),
    Case(
        "certificate-for-clients",
        "the certificate is for clients, by its extended key usage",
        _with(Certificates.for_clients),
        Reason.CertificateUntrusted,
    ),
    Case(
        "ca-without-key-usage",
        "the CA's certificate has no key usage, which RFC 5280 demands",
        _with(lambda c: c.lax.serving()),
        Reason.RelyingPartyRuleBroken,
        verdict=Verdict.WARNED,
    ),
    Case(
        "certificate-serial-negative",
        "the certificate's serial number is negative",
        _with(lambda c: c.public.serving_a_negative_serial()),
        Reason.RelyingPartyRuleBroken,
        verdict=Verdict.WARNED,
    ),
)
