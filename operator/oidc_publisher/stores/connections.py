"""What it means when a server gave no answer: said once, whatever library met it. Pure.

botocore, requests and urllib3 each have classes of their own for the same few things. A store's module tells which of
them it was; the sentence, and whether the request may have taken effect, follow here.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import urlsplit

from oidc_publisher.stores.causes import cause
from oidc_publisher.stores.deadlines import CONNECT_TIMEOUT_S, READ_TIMEOUT_S

#: X509_V_ERR_* of OpenSSL (x509_vfy.h) of certificates whose chain is trusted all the same.
_NOT_NOW, _OTHER_NAME = frozenset({9, 10}), frozenset({62, 64})


class Break(Enum):
    """Where it broke."""

    PROXY = auto()
    UNREACHABLE = auto()
    CONNECT_TIMEOUT = auto()
    TLS = auto()
    READ_TIMEOUT = auto()
    CLOSED = auto()


class Mend(Enum):
    """What somebody may have to look at; where that is set differs from store to store."""

    NOTHING = auto()
    NAME = auto()
    AUTHORITY = auto()
    CERTIFICATE_NAME = auto()
    VALIDITY = auto()


@dataclass(frozen=True, slots=True)
class Broken:
    """A connection that did not come about or did not last, in a sentence about the server.

    `answer_lost`: the request went out, so that it may have taken effect.
    """

    what: str
    answer_lost: bool = False
    mend: Mend = Mend.NOTHING


def broken(at: Break, url: str, error: BaseException) -> Broken:
    """What `error`, which broke a request to `url`, says below what the library says."""
    origin = origin_of(url)
    match at:
        case Break.PROXY:
            return Broken(f"the proxy for {origin} cannot be reached")
        case Break.UNREACHABLE:
            return _unreachable(origin, error)
        case Break.CONNECT_TIMEOUT:
            return Broken(f"{origin} does not answer within {CONNECT_TIMEOUT_S} s")
        case Break.TLS:
            return _tls(origin, error)
        case Break.READ_TIMEOUT:
            return Broken(f"{origin} does not answer within {READ_TIMEOUT_S} s", answer_lost=True)
        case Break.CLOSED:
            return Broken(f"{origin} closes connections before its answer is complete", answer_lost=True)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _unreachable(origin: str, error: BaseException) -> Broken:
    if cause(error, socket.gaierror):
        return Broken(f"the name {urlsplit(origin).hostname} cannot be resolved", mend=Mend.NAME)
    if cause(error, ConnectionRefusedError):
        return Broken(f"{origin} refuses connections")
    other = cause(error, OSError)
    return Broken(f"{origin} cannot be reached: {(other.strerror if other else None) or 'no reason given'}")


def _tls(origin: str, error: BaseException) -> Broken:
    refused = cause(error, ssl.SSLCertVerificationError)
    if refused is not None:
        sentence = f"the certificate of {origin} is not trusted: {refused.verify_message.rstrip('.')}"
        return Broken(sentence, mend=_mend_of(refused))
    failed = cause(error, ssl.SSLError)
    return Broken(f"TLS with {origin} fails ({(failed.reason if failed else None) or 'no reason given'})")


def _mend_of(refused: ssl.SSLCertVerificationError) -> Mend:
    """What is wrong with a certificate: only one that nobody trusts is mended by trusting another authority."""
    code = getattr(refused, "verify_code", 0)  # only the TLS stack sets it
    if code in _OTHER_NAME:
        return Mend.CERTIFICATE_NAME
    return Mend.VALIDITY if code in _NOT_NOW else Mend.AUTHORITY
