"""Whom the probe trusts: TLS contexts, made once for each set of roots, and anew when the system's roots were replaced."""

from __future__ import annotations

import functools
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason

# Loading the system's roots costs 35 ms and most of a megabyte each time; one operator rarely sees several private CAs.
_CACHED = 32
_BUILDING = threading.Lock()

#: A path with what tells one state of it from another: when it was written, how long it is, which file it is.
RootsState = tuple[tuple[str, int, int, int], ...]


def roots_state() -> RootsState:
    """The state of the system's roots: it differs after they were updated or the volume with them was mounted anew."""
    paths = ssl.get_default_verify_paths()  # honours SSL_CERT_FILE and SSL_CERT_DIR
    found = []
    for path in (paths.cafile, paths.capath):
        try:
            state = Path(path).stat() if path else None
        except OSError:
            continue
        if path and state:
            found.append((path, state.st_mtime_ns, state.st_size, state.st_ino))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Trust:
    """The contexts of one set of roots: `tls12` offers TLS 1.2 only, `current` whatever is current.

    `unverified` takes any certificate: it reads a chain that the others refused, and no document. `roots` is the state
    of the system's roots that they were made from.
    """

    roots: RootsState
    tls12: ssl.SSLContext
    current: ssl.SSLContext
    unverified: ssl.SSLContext

    @classmethod
    def of(cls, certificate_authority: str = "") -> Self:
        """The system's roots, and the PEM certificates beside them if there are any. Blocks for 100 ms the first time.

        Raises FetchError(ProbeUnavailable) when the PEM cannot be read.
        """
        with _BUILDING:  # so that a hundred issuers that start together build it once
            roots = roots_state()
            return cls(roots, *_contexts(certificate_authority, roots))


@functools.lru_cache(maxsize=_CACHED)
def _contexts(certificate_authority: str, roots: RootsState) -> tuple[ssl.SSLContext, ssl.SSLContext, ssl.SSLContext]:
    del roots  # only tells one state of the system's roots from another
    tls12, current = _verifying(certificate_authority), _verifying(certificate_authority)
    tls12.maximum_version = ssl.TLSVersion.TLSv1_2
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return tls12, current, unverified


def _verifying(certificate_authority: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 turned both on and off differently. Relying parties (Go, Java) are not so strict, and every Python
    # must say the same of one issuer; an intermediate that the admin names is a root.
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
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
