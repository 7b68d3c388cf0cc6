"""A watch of all OIDCIssuers, so that nothing is measured by polling."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.support.controlplane import ControlPlane

_LEAVES_S = 10
COLLECTION = "/apis/oidc-publisher.io/v1alpha1/oidcissuers"
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """An object as an event brought it, and when, on time.monotonic()."""

    at: float
    kind: str
    object: Object


class Watch:
    """Collects every event from its beginning on; `with Watch(...) as watch`."""

    def __init__(self, cluster: ControlPlane, index: int = 0) -> None:
        server = cluster.servers[index]
        self._connection = http.client.HTTPSConnection(
            server.address, server.port, context=cluster.pki.client_context()
        )
        self._headers = {"Authorization": f"Bearer {cluster.admin_token}"}
        self._events: list[Event] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._follow, name="watch", daemon=True)

    def __enter__(self) -> Self:
        listed = self._ask(f"{COLLECTION}?limit=500")
        version = json.loads(listed.read())["metadata"]["resourceVersion"]
        self._stream = self._ask(f"{COLLECTION}?watch=1&resourceVersion={version}&timeoutSeconds=3600")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # close() alone leaves the connection open for the thread that reads from it, which would collect all events of
        # the rest of the run.
        if self._connection.sock is not None:
            with contextlib.suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(_LEAVES_S)
        self._connection.close()

    def events(self) -> list[Event]:
        """All events so far."""
        with self._news:
            return list(self._events)

    def wait(self, holds: Callable[[Event], object], *, timeout_s: float, what: str) -> Event:
        """The first event, past or to come, of which something holds."""
        seen, end = 0, time.monotonic() + timeout_s
        with self._news:
            while True:
                for event in self._events[seen:]:
                    if holds(event):
                        return event
                seen = len(self._events)
                if not self._news.wait(end - time.monotonic()):
                    raise TimeoutError(f"not within {timeout_s:g} s: {what}; last seen: {self._last()}")

    def _last(self) -> str:
        status = self._events[-1].object.get("status", {}) if self._events else {}
        found = [(f["reason"], f["message"]) for f in status.get("findings", [])]
        return json.dumps(
            {"conditions": {c["type"]: c["reason"] for c in status.get("conditions", [])}, "found": found}
        )

    def _ask(self, path: str) -> http.client.HTTPResponse:
        self._connection.request("GET", path, headers=self._headers)
        return self._connection.getresponse()

    def _follow(self) -> None:
        rest = b""
        try:
            while chunk := self._stream.read1(1 << 20):
                at = time.monotonic()
                *lines, rest = (rest + chunk).split(b"\n")
                found = [json.loads(line) for line in lines if line]
                with self._news:
                    self._events.extend(Event(at, event["type"], event["object"]) for event in found)
                    self._news.notify_all()
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            return  # closed from here, or its API server was killed


def is_ready(event: Event, name: str) -> bool:
    """Whether the event shows the issuer Ready for its present generation."""
    status = event.object.get("status") or {}
    if event.object["metadata"]["name"] != name or event.kind == "DELETED":
        return False
    generation = event.object["metadata"]["generation"]
    return any(
        c["type"] == "Ready" and c["status"] == "True" and c.get("observedGeneration") == generation
        for c in status.get("conditions", [])
    )
