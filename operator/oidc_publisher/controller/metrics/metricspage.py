"""Serve the page of metrics from a thread, so that passes go on meanwhile, and the page answers while the event loop is stuck."""

from __future__ import annotations

import gc
import os
import socket
import socketserver
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from oidc_publisher.telemetry.address import Address
from oidc_publisher.telemetry.health import ListenError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

#: A client that sends nothing, or takes nothing, keeps its thread for so long.
_CLIENT_TIMEOUT_S = 10.0
_POLL_S = 0.1


class MetricsPage:
    """A MetricsPage is served at one address; port 0 picks a free port, which `port` then holds."""

    def __init__(self, address: Address, registry: CollectorRegistry) -> None:
        self._address = address
        self._registry = registry
        self._server: _Server | None = None
        self.port = address.port

    @property
    def url(self) -> str:
        """The URL of the page."""
        return f"http://{Address(self._address.host or '127.0.0.1', self.port)}/metrics"

    def start(self) -> None:
        """Start to serve the page.

        Raises:
            ListenError: the operator cannot listen on the address.
        """
        family, host = _family_and_host(self._address.host)
        try:
            self._server = _Server.listening((host, self._address.port), family)
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
            raise ListenError(f"cannot listen on {self._address}: {why}", option="--metrics-address") from None
        self._server.set_app(_without_collections(make_wsgi_app(self._registry)))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; a scrape in progress goes on in its own thread, which ends with the process."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _without_collections(app: WSGIApplication) -> WSGIApplication:
    """Return the application, in whose answers no collection of garbage begins.

    The 50,000 samples of 1,000 issuers would start a full one, in which no other thread has a turn for 80 ms. They are in no
    cycle, so they go without one.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        gc.disable()
        try:
            return app(environ, start_response)
        finally:
            gc.enable()

    return answer


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False

    @classmethod
    def listening(cls, address: tuple[str, int], family: socket.AddressFamily) -> _Server:
        kind = type(cls.__name__, (cls,), {"address_family": family})
        server: _Server = kind(address, _Handler)
        return server

    def server_bind(self) -> None:
        """Bind without a look for the machine's name, for which WSGIServer would ask a name server."""
        if self.address_family is socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(self.server_address[0] != "::"))
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "oidc-publisher", self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that hangs up: a scrape that is given up is logged by Prometheus."""


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its signature
        """Log no scrape."""


def _family_and_host(host: str | None) -> tuple[socket.AddressFamily, str]:
    """Return where to bind; without a host every interface, of both IP versions where the machine has both."""
    if host is None:
        return (socket.AF_INET6, "::") if socket.has_dualstack_ipv6() else (socket.AF_INET, "0.0.0.0")  # noqa: S104 - asked for
    info = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    return socket.AddressFamily(info[0]), str(info[4][0])
