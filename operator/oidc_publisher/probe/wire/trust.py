"""Build the TLS contexts of the probe once for each set of roots, and again when the system's roots have changed."""

from __future__ import annotations

import functools
import os
import ssl
import threading
from dataclasses import dataclass
from typing import Self

from oidc_publisher.chainchecks import check_as_go_does, check_as_strict_python_does
from oidc_publisher.errors import FetchError
from oidc_publisher.filestate import FileState, file_state
from oidc_publisher.findings import Reason
from oidc_publisher.probe.wire.phases import TimedTLS

# Loading the system's roots costs 35 ms and most of a megabyte each time. Few operators have several private CAs.
_CACHED = 32
_BUILDING = threading.Lock()

# What upstream's Python offers since 3.10 (no HMAC-SHA1, no RSA below 2048 bits). Debian's and Fedora's offer what their
# OpenSSL does, so that a verdict would depend on whose Python the operator runs under.
_CIPHERS = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"

#: Each path of the roots with its state.
RootsState = tuple[tuple[str, FileState], ...]


def roots_state() -> RootsState:
    """Return the state of the system's roots, which differs after an update or a new mount of their volume.

    Each visit asks for it, so it takes a stat of each path and no more.
    """
    paths = _usual_paths()
    found = []
    for variable, usual in (
        (paths.openssl_cafile_env, paths.openssl_cafile),
        (paths.openssl_capath_env, paths.openssl_capath),
    ):
        path = os.environ.get(variable, usual)
        try:
            found.append((path, file_state(path)))
        except OSError:
            continue
    return tuple(found)


@functools.cache
def _usual_paths() -> ssl.DefaultVerifyPaths:
    """Return where OpenSSL looks, and which variables of the environment say otherwise; these are compiled into it."""
    return ssl.get_default_verify_paths()


@dataclass(frozen=True, slots=True)
class Trust:
    """Trust holds the TLS contexts of one set of roots: `tls12` offers TLS 1.2 only, `current` every current version.

    `strict` is as `current`, and refuses the chains that Python 3.13 refuses.
    `unverified` accepts any certificate. It reads a chain that the other contexts refused, and never a document.
    `roots` is the state of the system's roots that the contexts were made from.
    """

    roots: RootsState
    tls12: ssl.SSLContext
    current: ssl.SSLContext
    strict: ssl.SSLContext
    unverified: ssl.SSLContext

    @classmethod
    def of(cls, certificate_authority: str = "") -> Self:
        """Return contexts that trust the system's roots and the given PEM certificates, if there are any.

        The first call blocks for 150 ms. Raises FetchError(ProbeUnavailable) when the PEM cannot be read.
        """
        with _BUILDING:  # a hundred issuers that start together build the contexts once
            roots = roots_state()
            return cls(roots, *_contexts(certificate_authority, roots))


@functools.lru_cache(maxsize=_CACHED)
def _contexts(
    certificate_authority: str, roots: RootsState
) -> tuple[ssl.SSLContext, ssl.SSLContext, ssl.SSLContext, ssl.SSLContext]:
    del roots  # only part of the cache's key: it distinguishes the states of the system's roots
    tls12, current, strict = (_verifying(certificate_authority) for _ in range(3))
    tls12.maximum_version = ssl.TLSVersion.TLSv1_2
    check_as_strict_python_does(strict)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return tls12, current, strict, unverified


def _verifying(certificate_authority: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.sslobject_class = TimedTLS
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    check_as_go_does(context)  # most relying parties are written in Go or Java
    if certificate_authority:
        try:
            context.load_verify_locations(cadata=certificate_authority)
        except (ssl.SSLError, ValueError):
            raise FetchError(
                Reason.ProbeUnavailable,
                "probe.certificateAuthority holds no readable PEM certificates",
                hint="Correct it; nothing is said about the issuer until then.",
            ) from None
    return context
