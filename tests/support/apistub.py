"""Run a small HTTPS server with the answers of a test, which a real API server cannot be made to give."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from oidc_publisher.cluster import ClusterClient, Credentials
from oidc_publisher.cluster.credentials.authorization import Fixed
from oidc_publisher.cluster.credentials.clientcontext import client_context
from oidc_publisher.cluster.credentials.login import Login
from oidc_publisher.filestate import FileState, file_state

if TYPE_CHECKING:
    from tests.support.pki import PKI, Certificate

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    connection: int  # the same number for requests on one connection


@dataclass(slots=True)
class APIStub:
    """Answers by method and path; 404 in plain text for the rest, as kube-apiserver does for what it does not serve."""

    answers: dict[tuple[str, str], Handler] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def on(self, method: str, path: str, *answers: Handler) -> None:
        """Answer with each of `answers` in turn, and with the last for ever."""
        left = list(answers)

        async def next_one(request: web.Request) -> web.StreamResponse:
            return await (left.pop(0) if len(left) > 1 else left[0])(request)

        self.answers[method, path] = next_one

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note the request and answer it."""
        text = await request.text()
        self.seen.append(
            Seen(
                request.method,
                request.path,
                dict(request.query),
                request.headers,
                json.loads(text) if text else None,
                id(request.transport),
            )
        )
        answer = self.answers.get((request.method, request.path))
        return web.Response(status=404, text="404 page not found") if answer is None else await answer(request)


def says(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Handler:
    """An answer in JSON."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return answer


def refuses(status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> Handler:
    """An answer with a Status object."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return says({**body, "code": status}, status=status, headers=headers)


@asynccontextmanager
async def serving(pki: PKI, certificate: Certificate | None = None, *, port: int = 0) -> AsyncIterator[APIStub]:
    """Run a stub with a certificate of the CA for every local name, or with another one."""
    stub = APIStub()
    application = web.Application()
    application.router.add_route("*", "/{any:.*}", stub.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=(certificate or pki.serving()).server_context())
    await site.start()
    stub.port = runner.addresses[0][1]
    try:
        yield stub
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client_of(pki: PKI, server: str, *api_server_names: str) -> AsyncIterator[ClusterClient]:
    """A client whose credentials name `server` (HOST:PORT), the CA and a bearer token."""
    login = Login(
        f"https://{server}", client_context(str(pki.ca_file)), Fixed("Bearer secret"), authority=authority_of(pki)
    )
    async with ClusterClient(Credentials(login), api_server_names=api_server_names) as client:
        yield client


def authority_of(pki: PKI) -> tuple[str, FileState]:
    """The CA as credentials that name it know it."""
    return str(pki.ca_file), file_state(pki.ca_file)
