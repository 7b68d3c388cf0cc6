"""Describe why a server gave no answer, the same way for every client library. Pure.

botocore, requests and urllib3 each have classes of their own for the same few failures. The module of a store
classifies the failure; this module gives the sentence, and whether the request may have taken effect.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import urlsplit

from oidc_publisher.stores.causes import cause
from oidc_publisher.stores.deadlines import CONNECT_TIMEOUT_S, READ_TIMEOUT_S

#: The X509_V_ERR_* of OpenSSL (x509_vfy.h) for certificates whose chain is trusted but whose dates or names do not fit.
_NOT_NOW, _OTHER_NAME = frozenset({9, 10}), frozenset({62, 64})


class Break(Enum):
    """A Break names the step at which a request failed."""

    PROXY = auto()
    UNREACHABLE = auto()
    CONNECT_TIMEOUT = auto()
    TLS = auto()
    READ_TIMEOUT = auto()
    CLOSED = auto()


class Mend(Enum):
    """A Mend names what an admin may have to correct; the setting for it differs from store to store."""

    NOTHING = auto()
    NAME = auto()
    AUTHORITY = auto()
    CERTIFICATE_NAME = auto()
    VALIDITY = auto()


@dataclass(frozen=True, slots=True)
class Broken:
    """Broken describes a failed connection in a sentence about the server.

    `answer_lost`: the request was sent, so that it may have taken effect.
    """

    what: str
    answer_lost: bool = False
    mend: Mend = Mend.NOTHING


def broken(at: Break, url: str, error: BaseException) -> Broken:
    """Describe `error`, which ended a request to `url`, by its innermost cause."""
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
    """Return the scheme, host and port of a URL."""
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
    """Return what to correct about a certificate; only an untrusted chain is corrected by another authority."""
    code = getattr(refused, "verify_code", 0)  # only the TLS stack sets it
    if code in _OTHER_NAME:
        return Mend.CERTIFICATE_NAME
    return Mend.VALIDITY if code in _NOT_NOW else Mend.AUTHORITY
