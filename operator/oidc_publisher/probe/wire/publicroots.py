"""Tell whether a public certificate authority issued a chain, whatever the machine trusts.

A proxy that breaks TLS open presents certificates of its own CA. Machines behind it trust that CA, so that the chain
verifies, and nothing of the host's own certificate is seen.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import warnings
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from oidc_publisher.keys.certificates import UNREADABLE, read_certificate

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def is_publicly_trusted(chain: tuple[bytes, ...], host: str) -> bool | None:
    """Return whether Mozilla's roots lead to this chain (DER, the host's own first); None where that cannot be told."""
    if not chain:
        return None
    try:
        leaf, *others = (read_certificate(der) for der in chain)
        builder = PolicyBuilder().store(_roots()).time(datetime.now(UTC))
        builder.build_server_verifier(_name(host)).verify(leaf, others)
    except VerificationError:
        return False
    except UNREADABLE:
        return None
    return True


@functools.lru_cache(maxsize=1)
def _roots() -> Store:
    return Store(list(_certificates(Path(certifi.where()).read_bytes())))


def _certificates(pem: bytes) -> Iterator[x509.Certificate]:
    """Yield the certificates one by one, because cryptography will refuse a few old roots (RFC 5280, 4.1.2.2)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for block in _BLOCK.findall(pem):
            with suppress(ValueError):
                yield x509.load_pem_x509_certificate(block)


def _name(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
