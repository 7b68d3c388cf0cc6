"""What a broken connection means, whatever library met it."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from oidc_publisher.stores.connections import Break, Broken, Mend, broken

URL = "https://s3.example.com:9000/bucket/prod/openid/v1/jwks?x=y"
S3 = "https://s3.example.com:9000"


def untrusted() -> ssl.SSLCertVerificationError:
    """As ssl raises it."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "Hostname mismatch, certificate is not valid for 's3.example.com'."
    return error


def handshake() -> ssl.SSLError:
    """As ssl raises it."""
    error = ssl.SSLError(1, "wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


CASES = {
    "proxy": (Break.PROXY, OSError(), Broken(f"the proxy for {S3} cannot be reached")),
    "name": (
        Break.UNREACHABLE,
        socket.gaierror(socket.EAI_NONAME, "x"),
        Broken("the name s3.example.com cannot be resolved", mend=Mend.NAME),
    ),
    "refused": (Break.UNREACHABLE, ConnectionRefusedError(), Broken(f"{S3} refuses connections")),
    "no route": (
        Break.UNREACHABLE,
        OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH)),
        Broken(f"{S3} cannot be reached: Network is unreachable"),
    ),
    "unknown": (Break.UNREACHABLE, ValueError(), Broken(f"{S3} cannot be reached: no reason given")),
    "no answer to SYN": (Break.CONNECT_TIMEOUT, TimeoutError(), Broken(f"{S3} does not answer within 2 s")),
    "untrusted": (
        Break.TLS,
        untrusted(),
        Broken(
            f"the certificate of {S3} is not trusted: Hostname mismatch, certificate is not valid for 's3.example.com'",
            mend=Mend.AUTHORITY,
        ),
    ),
    "no TLS": (Break.TLS, handshake(), Broken(f"TLS with {S3} fails (WRONG_VERSION_NUMBER)")),
    "hangs": (Break.READ_TIMEOUT, OSError(), Broken(f"{S3} does not answer within 5 s", answer_lost=True)),
    "closed": (
        Break.CLOSED,
        OSError(),
        Broken(f"{S3} closes connections before its answer is complete", answer_lost=True),
    ),
}


@pytest.mark.parametrize(("at", "below", "expected"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("depth", [0, 2])
def test_a_break_is_one_sentence_about_the_server(at: Break, below: Exception, expected: Broken, depth: int) -> None:
    """Whatever the library puts around it: the path of a request never shows, for it differs from call to call."""
    error: Exception = below
    for _ in range(depth):
        outer = RuntimeError("made by a library")
        outer.__cause__ = error
        error = outer
    assert broken(at, URL, error) == expected
