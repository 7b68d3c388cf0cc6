"""HTTP/1.1 answers as bytes, and the ways in which one of them can be wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from tests.support.hosts import Connection

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `length` is the Content-Length that is stated, None for that of the body."""

    body: bytes
    headers: dict[str, str]
    status: int = 200
    length: int | None = None

    def raw(self) -> bytes:
        """Return the bytes on the wire."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if "Transfer-Encoding" not in self.headers:
            lines.append(f"Content-Length: {len(self.body) if self.length is None else self.length}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


Change = Callable[[Answer], Answer]
#: How an answer reaches the reader.
Delivery = Callable[[Connection, Answer], None]


def header(name: str, value: str | None) -> Change:
    """Set a header, or leave it out (None)."""

    def change(answer: Answer) -> Answer:
        others = {n: v for n, v in answer.headers.items() if n != name}
        return replace(answer, headers=others if value is None else {**others, name: value})

    return change


def body(made: Callable[[bytes], bytes]) -> Change:
    """Change the body and nothing else."""
    return lambda answer: replace(answer, body=made(answer.body))


def members(**changes: Any) -> Change:
    """Set members of a JSON object; None takes one out."""

    def change(content: bytes) -> bytes:
        document = {**json.loads(content), **changes}
        return json.dumps({name: value for name, value in document.items() if value is not None}, indent=2).encode()

    return body(change)


def status(code: int, content: bytes = b"", content_type: str = "text/plain", **headers: str) -> Change:
    """Answer with a status and a page instead of the document."""
    named = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return lambda _: Answer(content, named, code)


def xml_error(code: int, name: str) -> Change:
    """Answer as S3 does to an anonymous reader."""
    page = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{name}</Code><Message>no</Message></Error>'
    return status(code, page.encode(), "application/xml")


def encoded(coding: str, pack: Callable[[bytes], bytes]) -> Change:
    """Send the body compressed, whatever the reader accepts."""
    return lambda answer: header("Content-Encoding", coding)(body(pack)(answer))


def whole(connection: Connection, answer: Answer) -> None:
    """Send everything at once."""
    connection.send(answer.raw())


def late(seconds: float) -> Delivery:
    """Wait before the first byte."""

    def deliver(connection: Connection, answer: Answer) -> None:
        time.sleep(seconds)
        whole(connection, answer)

    return deliver


def never(connection: Connection, answer: Answer) -> None:
    """Say nothing until the reader has gone."""
    del answer
    connection.wait_for_end()


def trickled(connection: Connection, answer: Answer) -> None:
    """Send the headers at once and the body byte by byte, more slowly than any reader waits."""
    raw = answer.raw()
    head = len(raw) - len(answer.body)
    connection.send(raw[:head])
    for byte in answer.body:
        time.sleep(0.1)
        if not connection.send(bytes([byte])):
            return


def cut(keep_bytes: int | None = None, *, reset: bool) -> Delivery:
    """End the connection before the headers (None), or after some bytes of the body, by RST or in good order."""

    def deliver(connection: Connection, answer: Answer) -> None:
        if keep_bytes is not None:
            raw = answer.raw()
            connection.send(raw[: len(raw) - len(answer.body) + keep_bytes])
            time.sleep(0.05)  # so that the reader has the headers before the reset overtakes them
        if reset:
            connection.reset()
        else:
            connection.raw.close()

    return deliver


def saying(data: bytes) -> Delivery:
    """Send these bytes, whatever they are, and end the connection."""

    def deliver(connection: Connection, answer: Answer) -> None:
        del answer
        connection.send(data)
        connection.raw.close()

    return deliver
