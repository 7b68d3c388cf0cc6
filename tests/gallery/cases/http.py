"""Faults of the HTTP answer: its status, its time, its transfer."""

from __future__ import annotations

import gzip
from collections.abc import Callable

from oidc_publisher.findings import Reason
from tests.gallery.answers import (
    JSON,
    Answer,
    Change,
    Delivery,
    body,
    cut,
    encoded,
    header,
    late,
    never,
    saying,
    status,
    trickled,
    xml_error,
)
from tests.gallery.case import Case, Fault, Verdict
from tests.gallery.place import DISCOVERY, JWKS, MOVED, Place

_HTML = b"<!DOCTYPE html><html><body><h1>Something went wrong</h1></body></html>"
_NOT_HTTP = b"SSH-2.0-OpenSSH_9.2\r\n\r\n"
_WRONG_CHUNKS = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n".encode()
_HEADERS_WRONG = frozenset({Reason.HeadersWrong})
_SIZE_LIMIT_BYTES = 64 * 1024


def _both(change: Change) -> Fault:
    return lambda place: place.change(change, jwks=(change,))


def _jwks(change: Change) -> Fault:
    return lambda place: place.change(jwks=(change,))


def _delivered(delivery: Delivery) -> Fault:
    return lambda place: place.deliver(delivery)


def _stored_brotli(content: bytes) -> bytes:
    """Return a brotli stream that holds the content uncompressed (RFC 7932, 9.2)."""
    head = (len(content) - 1) << 4 | 1 << 20
    return head.to_bytes(3, "little") + content + b"\x03"


def _chunked(frame: Callable[[bytes], bytes]) -> Change:
    def change(answer: Answer) -> Answer:
        return header("Transfer-Encoding", "chunked")(body(frame)(answer))

    return change


def _lengthy(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content) + 100, content)  # more is promised than comes


def _html(answer: Answer) -> Answer:
    return header("Content-Type", "text/html")(body(lambda _: _HTML)(answer))


def _chunk_short(place: Place) -> None:
    change = _chunked(_lengthy)
    place.change(change, jwks=(change,))
    place.deliver(cut(10_000, reset=False))


def _redirected(place: Place) -> None:
    moved = [status(302, Location=f"{place.issuer}/{MOVED}{path}") for path in (DISCOVERY, JWKS)]
    place.change(moved[0], jwks=(moved[1],))


def _short(place: Place) -> None:
    place.deliver(cut(20, reset=False))


CASES = (
    Case(
        "redirect",
        "the host redirects with 302, to where the documents are",
        _redirected,
        Reason.Redirected,
    ),
    Case(
        "wrong-region",
        "the bucket is in another region: 301 of S3",
        _both(xml_error(301, "PermanentRedirect")),
        Reason.Redirected,
    ),
    Case(
        "status-401", "the host wants a login: 401", _both(status(401, WWW_Authenticate="Basic")), Reason.AccessBlocked
    ),
    Case(
        "status-403-xml",
        "the bucket is not public: 403 with S3's XML",
        _both(xml_error(403, "AccessDenied")),
        Reason.AccessBlocked,
    ),
    Case("status-404", "nothing is there: 404", _both(status(404)), Reason.DocumentNotFound),
    Case("jwks-404", "the key set is not there: 404", _jwks(xml_error(404, "NoSuchKey")), Reason.DocumentNotFound),
    Case("status-204", "the host answers 204, no content", _both(status(204)), Reason.UnexpectedStatus),
    Case("status-429", "the host throttles: 429", _both(status(429, Retry_After="1")), Reason.UnexpectedStatus),
    Case("status-500", "the host answers 500", _both(xml_error(500, "InternalError")), Reason.UnexpectedStatus),
    Case("status-503", "the host answers 503", _both(xml_error(503, "SlowDown")), Reason.UnexpectedStatus),
    Case(
        "html-with-200",
        "an error page in HTML comes with status 200",
        _both(_html),
        Reason.DocumentInvalid,
        also=_HEADERS_WRONG,
    ),
    Case("first-byte-late", "no byte of the answer comes in time", _delivered(never), Reason.TooSlow, timeout_s=1),
    Case(
        "trickle",
        "the body comes byte by byte, and does not end in time",
        _delivered(trickled),
        Reason.TooSlow,
        timeout_s=1,
    ),
    Case(
        "slow",
        "both documents take 2.4 s together",
        _delivered(late(1.2)),
        Reason.TooSlow,
        verdict=Verdict.WARNED,
    ),
    Case(
        "reset-before-headers",
        "the connection is reset before the answer",
        _delivered(cut(reset=True)),
        Reason.ConnectionFailed,
    ),
    Case(
        "closed-before-headers",
        "the connection ends before the answer",
        _delivered(cut(reset=False)),
        Reason.ConnectionFailed,
    ),
    Case(
        "reset-in-body",
        "the connection is reset in the middle of the body",
        _delivered(cut(20, reset=True)),
        Reason.ConnectionFailed,
    ),
    Case("body-short", "the body is shorter than its Content-Length", _short, Reason.ConnectionFailed),
    Case("not-http", "what answers is not HTTP", _delivered(saying(_NOT_HTTP)), Reason.ConnectionFailed),
    Case(
        "chunks-wrong",
        "the size of a chunk is not a number",
        _delivered(saying(_WRONG_CHUNKS)),
        Reason.ConnectionFailed,
    ),
    Case(
        "chunk-short",
        "the last chunk is shorter than its size",
        _chunk_short,
        Reason.ConnectionFailed,
    ),
    Case(
        "oversized",
        "the key set is larger than 64 KiB",
        _jwks(body(lambda content: content.ljust(_SIZE_LIMIT_BYTES + 1))),
        Reason.DocumentInvalid,
    ),
    Case(
        "jwks-52-kb",
        "the key set has more than 51,200 bytes",
        _jwks(body(lambda content: content.ljust(52_000))),
        Reason.RelyingPartyRuleBroken,
        verdict=Verdict.WARNED,
    ),
    Case(
        "gzip",
        "the body is compressed with gzip, unasked",
        _both(encoded("gzip", gzip.compress)),
        Reason.DocumentInvalid,
        also=_HEADERS_WRONG,
    ),
    Case(
        "brotli",
        "the body is compressed with brotli, unasked",
        _both(encoded("br", _stored_brotli)),
        Reason.DocumentInvalid,
        also=_HEADERS_WRONG,
    ),
)
