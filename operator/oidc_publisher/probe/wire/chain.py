"""Find out why a certificate chain leads to no trusted root."""

from __future__ import annotations

import ssl
from typing import Any

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason
from oidc_publisher.keys.certificates import UNREADABLE, read_certificate
from oidc_publisher.probe.text import host_of, shown

_DER = 2  # _ssl.ENCODING_DER, for the Certificate objects of Python 3.11 and 3.12


def sent_chain(connection: ssl.SSLObject) -> tuple[bytes, ...]:
    """Return the certificates in DER as the host sent them, its own first; empty where this Python has no method."""
    # The method is public since Python 3.13; before, the inner object has it (bpo-18233).
    inner: Any = connection if hasattr(connection, "get_unverified_chain") else getattr(connection, "_sslobj", None)
    read = getattr(inner, "get_unverified_chain", None)
    if read is None:
        return ()
    return tuple(c if isinstance(c, bytes) else c.public_bytes(_DER) for c in read() or ())


def judge_chain(url: str, chain: tuple[bytes, ...]) -> FetchError:
    """Return the error for a chain that was refused because an issuer's certificate was not found.

    A host that sends only its own certificate has omitted the intermediate if that certificate names the URL of its
    issuer's certificate (AIA caIssuers), as those of every public CA do: Baseline Requirements, 7.1.2.7.7. Without AIA
    a missing intermediate cannot be told from an unknown CA, and the message names both.
    """
    host = host_of(url)
    try:
        certificates = [read_certificate(der) for der in chain]
        top = _top(certificates)
    except UNREADABLE:
        return FetchError(
            Reason.CertificateUntrusted, f"The certificate of {host} leads to no trusted root", subject=url
        )
    issuer = shown(top.issuer.rfc4514_string())
    if top is certificates[0] and _names_issuer(top):
        message = f"{host} sends its own certificate without that of its issuer {issuer}"
        return FetchError(Reason.CertificateChainIncomplete, message, subject=url)
    message = f"The certificate of {host} leads to {issuer}, which is no trusted root and is not sent along"
    return FetchError(Reason.CertificateUntrusted, message, subject=url)


def _top(certificates: list[x509.Certificate]) -> x509.Certificate:
    """Return the last certificate that the names of issuers lead to from the host's own."""
    top, rest = certificates[0], certificates[1:]
    while top.issuer != top.subject:
        above = next((c for c in rest if c.subject == top.issuer), None)
        if above is None:
            break
        rest.remove(above)
        top = above
    return top


def _names_issuer(certificate: x509.Certificate) -> bool:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return False
    return any(description.access_method == AuthorityInformationAccessOID.CA_ISSUERS for description in access)
