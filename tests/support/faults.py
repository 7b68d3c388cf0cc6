"""Define the faults that an HTTPS edge can apply to an answer, one function for each.

A fault is an async function from an `Exchange` to the answer the edge sends. Most of them forward the request to the
upstream and change what comes back; some never ask it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web
from multidict import CIMultiDict

ABSENT = web.ResponseKey("absent", list[str])  # header names

_NO_BODY = {204, 304}
_S3_CODES = {
    301: "PermanentRedirect",
    403: "AccessDenied",
    404: "NoSuchKey",
    409: "ConditionalRequestConflict",
    412: "PreconditionFailed",
    500: "InternalError",
    503: "SlowDown",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the upstream, complete."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


class Exchange(Protocol):
    """One request on its way."""

    request: web.Request

    async def forward(self) -> Answer:
        """Ask the upstream; at most once per exchange."""


Fault = Callable[[Exchange], Awaitable[web.StreamResponse]]


async def passed_on(exchange: Exchange) -> web.StreamResponse:
    """Answer exactly what the upstream answers."""
    return respond(exchange.request, await exchange.forward())


def changed(change: Callable[[Answer], Answer]) -> Fault:
    """Answer what the upstream answers, changed by a function."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        return respond(exchange.request, change(await exchange.forward()))

    return fault


def fixed(answer: Answer) -> Fault:
    """Answer always the same, such as a copy taken earlier."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        return respond(exchange.request, answer)

    return fault


def alternating(*faults: Fault) -> Fault:
    """Behave differently from request to request, as a pool of edges does whose caches differ."""
    turns = itertools.cycle(faults)

    async def fault(exchange: Exchange) -> web.StreamResponse:
        return await next(turns)(exchange)

    return fault


def status(code: int, body: bytes = b"", content_type: str = "text/plain") -> Fault:
    """Answer with a status and never ask the upstream."""
    return fixed(Answer(code, CIMultiDict({"Content-Type": content_type}), body))


def s3_error(code: int, name: str | None = None) -> Fault:
    """Answer with an error as the S3 API words it."""
    named = name or _S3_CODES.get(code, "InternalError")
    text = f"<Error><Code>{named}</Code><Message>made by the test</Message><RequestId>0</RequestId></Error>"
    return status(code, b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode(), "application/xml")


def redirect(location: str, code: int = 302) -> Fault:
    """Send the reader elsewhere."""
    return fixed(Answer(code, CIMultiDict({"Location": location}), b""))


def header(name: str, value: str | None) -> Fault:
    """Set a header of the upstream's answer, or remove it (None); Content-Type too."""

    def change(answer: Answer) -> Answer:
        headers = answer.headers.copy()
        headers.popall(name, None)
        if value is not None:
            headers[name] = value
        return dataclasses.replace(answer, headers=headers)

    return changed(change)


def body(content: bytes | Callable[[bytes], bytes]) -> Fault:
    """Replace the body, or change it by a function; the headers stay the upstream's."""
    return changed(lambda a: dataclasses.replace(a, body=content(a.body) if callable(content) else content))


def html_error_page(code: int = 200) -> Fault:
    """Answer with a CDN's error page, which often comes with status 200."""
    return status(code, b"<!DOCTYPE html><html><body><h1>Something went wrong</h1></body></html>", "text/html")


def with_bom() -> Fault:
    """Put a byte order mark before the body, as some editors do."""
    return body(lambda content: b"\xef\xbb\xbf" + content)


def duplicate_members() -> Fault:
    """Repeat the first member of the JSON object with another value."""

    def repeat(content: bytes) -> bytes:
        member = re.match(rb'\s*\{\s*("[^"]+"\s*:)', content)
        return content if member is None else b"{" + member[1] + b" null, " + content.lstrip()[1:]

    return body(repeat)


def oversize(size_bytes: int = 64 * 1024 + 1) -> Fault:
    """Blow the body up with harmless white space beyond what readers accept."""
    return body(lambda content: content.ljust(size_bytes))


def wrong_issuer(issuer: str) -> Fault:
    """Name another issuer in the discovery document."""
    replacement = b'"issuer":"' + issuer.encode() + b'"'
    return body(lambda content: re.sub(rb'"issuer"\s*:\s*"[^"]*"', lambda _: replacement, content))


def unsigned(fault: Fault) -> Fault:
    """Apply the fault to anonymous requests only; the operator's signed reads of the store pass."""

    async def selective(exchange: Exchange) -> web.StreamResponse:
        if "Authorization" in exchange.request.headers:
            return await passed_on(exchange)
        return await fault(exchange)

    return selective


def delayed(seconds: float, then: Fault = passed_on) -> Fault:
    """Wait before the headers."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await then(exchange)

    return fault


def trickled(seconds_per_chunk: float = 0.5, chunk_bytes: int = 10) -> Fault:
    """Send headers at once and the body in small pieces."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        answer = await exchange.forward()
        response = await _begin(exchange.request, answer)
        for start in range(0, len(answer.body), chunk_bytes):
            await response.write(answer.body[start : start + chunk_bytes])
            await asyncio.sleep(seconds_per_chunk)
        return response

    return fault


def endless(seconds_per_byte: float = 1.0) -> Fault:
    """Begin an answer and send a byte now and then, until the reader goes; the upstream is never asked."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": '"1"', "Content-Length": "1000000"})
        await response.prepare(exchange.request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" ")
                await asyncio.sleep(seconds_per_byte)
        return response

    return fault


def truncated(keep_bytes: int = 20) -> Fault:
    """Promise the whole body, send its beginning and close the connection in good order."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        answer = await exchange.forward()
        response = await _begin(exchange.request, answer)
        await response.write(answer.body[:keep_bytes])
        if exchange.request.transport is not None:
            exchange.request.transport.close()
        return response

    return fault


def reset(after_bytes: int | None = None) -> Fault:
    """Reset the connection: before the headers, or after the beginning of the body."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        if after_bytes is None:
            _reset(exchange.request)
            return web.Response()
        answer = await exchange.forward()
        response = await _begin(exchange.request, answer)
        await response.write(answer.body[:after_bytes])
        await asyncio.sleep(0.05)  # so that the reader has the headers before the reset overtakes them
        _reset(exchange.request)
        return response

    return fault


def answer_lost() -> Fault:
    """Forward the request, so that it takes effect, and reset the connection instead of answering."""

    async def fault(exchange: Exchange) -> web.StreamResponse:
        await exchange.forward()
        _reset(exchange.request)
        return web.Response()

    return fault


def respond(request: web.Request, answer: Answer) -> web.Response:
    """Return an answer as aiohttp's response, with these headers and none that aiohttp adds."""
    headers = answer.headers.copy()
    if request.method != "HEAD":
        headers.popall("Content-Length", None)
    sent = None if request.method == "HEAD" or answer.status in _NO_BODY else answer.body
    response = web.Response(status=answer.status, headers=headers, body=sent)
    _leave_out_invented(response, headers)
    return response


def _leave_out_invented(response: web.StreamResponse, headers: CIMultiDict[str]) -> None:
    """Remember what aiohttp would add by itself, for the edge to take away before sending."""
    response[ABSENT] = [name for name in ("Content-Type", "Server") if name not in headers]


async def _begin(request: web.Request, answer: Answer) -> web.StreamResponse:
    headers = answer.headers.copy()
    headers["Content-Length"] = str(len(answer.body))
    response = web.StreamResponse(status=answer.status, headers=headers)
    _leave_out_invented(response, headers)
    await response.prepare(request)
    return response


def _reset(request: web.Request) -> None:
    transport = request.transport
    if transport is None:
        return
    # SO_LINGER with zero seconds makes the kernel send RST instead of FIN.
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
