"""A place serves one issuer of the gallery, well or with its fault."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.gallery.answers import JSON, Answer, Change, Delivery, whole
from tests.gallery.material import Certificates
from tests.gallery.nameserver import DOMAIN, LOOPBACK, SILENT, NameServer, Record
from tests.support.hosts import Connection, Host, Script
from tests.support.loopback import localhost_addresses
from tests.support.startable import Startable

#: Returns both documents as they are published, the discovery document first; None for one that is not.
Source = Callable[[], tuple[bytes | None, bytes | None]]

DISCOVERY, JWKS = ".well-known/openid-configuration", "openid/v1/jwks"
#: Below it both documents are always in good order.
MOVED = "moved/"


class Place(Startable):
    """One host at a port of its own, with a name that the gallery's name server may know.

    `settings` are those of spec.probe that a fault changes. What changes applies to later connections.
    """

    def __init__(
        self,
        name: str,
        certificates: Certificates,
        nameserver: NameServer,
        *,
        host: str = "localhost",
        max_age_s: int = 300,
    ) -> None:
        self.name = name
        self.certificates = certificates
        self.host = Host(certificates.good, self._answer)
        self.issuer = f"https://{host}:{self.host.port}/{name}"
        self.source: Source = lambda: (None, None)
        self.settings: dict[str, Any] = {}
        self._headers = {"Content-Type": JSON, "Cache-Control": f"public, max-age={max_age_s}"}
        self._nameserver, self._hostname = nameserver, host
        self._changes: dict[str, tuple[Change, ...]] = {}
        self._deliver: Delivery = whole
        self._everywhere = True
        self._plug: list[socket.socket] = []
        self._turn = 0
        self.heal()

    def start(self) -> None:
        """Begin to serve."""
        self.host.__enter__()

    def stop(self) -> None:
        """End."""
        self.unplug()
        self.host.__exit__()

    def heal(self) -> None:
        """Take every fault away."""
        self._changes, self._deliver, self.settings = {}, whole, {}
        self.host.serve(self.certificates.good, self._answer)
        if self._hostname.endswith((DOMAIN, SILENT)):
            self._nameserver.records[self._hostname] = LOOPBACK
        self.unplug()
        if not self._everywhere:
            self.host.stop_listening()
            self.host.listen_again()
            self._everywhere = True

    # --- what a fault may do --------------------------------------------------------------------------------------

    def change(self, *discovery: Change, jwks: tuple[Change, ...] | None = None) -> None:
        """Change the answers: one after the other in turn where there are several."""
        if discovery:
            self._changes[DISCOVERY] = discovery
        if jwks:
            self._changes[JWKS] = jwks

    def deliver(self, delivery: Delivery) -> None:
        """Send answers in another way."""
        self._deliver = delivery

    def speak(self, tls: ssl.SSLContext | None, script: Script | None = None) -> None:
        """Use another TLS context, or none and a script that speaks to the bare connection."""
        self.host.serve(tls, script or self._answer)

    def close(self) -> None:
        """Refuse connections; the port stays taken, so that no other host gets it."""
        self.host.stop_listening()
        self._everywhere = False
        self._plug = [_bound(address, self.host.port) for address in localhost_addresses()]

    def listen_only(self, address: str) -> None:
        """Refuse connections to every other address."""
        self.host.stop_listening()
        self._everywhere = False
        self.host.listen_again(addresses=(address,))

    def plug(self) -> None:
        """Let connections hang before they are made: the queue of connections that nobody accepts is full."""
        self.host.stop_listening()
        self._everywhere = False
        deaf = _bound("127.0.0.1", self.host.port)
        deaf.listen(0)
        self._plug = [deaf]
        for _ in range(4):
            waiting = socket.socket()
            waiting.settimeout(0)
            with suppress(BlockingIOError):
                waiting.connect(("127.0.0.1", self.host.port))
            self._plug.append(waiting)

    def unplug(self) -> None:
        """End what `plug` began."""
        for one in self._plug:
            one.close()
        self._plug = []

    def resolve(self, record: Record) -> None:
        """Let the name server say something else of the host's name."""
        self._nameserver.records[self._hostname] = record

    def _answer(self, connection: Connection, head: bytes) -> None:
        path = head.split(b" ")[1].decode().removeprefix(f"/{self.name}/")
        found = dict(zip((DISCOVERY, JWKS), self.source(), strict=True)).get(path.removeprefix(MOVED))
        answer = Answer(b"not found\n", self._headers, 404) if found is None else Answer(found, self._headers)
        changes = self._changes.get(path)
        if changes:
            answer = changes[self._turn % len(changes)](answer)
            self._turn += 1
        self._deliver(connection, answer)


def _bound(address: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((address, port))
    return bound
