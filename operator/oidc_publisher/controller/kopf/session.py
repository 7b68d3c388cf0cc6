"""Provide kopf's HTTP sessions, which use the operator's credentials and note the API server's reachability."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from http import HTTPStatus

import aiohttp
import kopf

from oidc_publisher.cluster import Credentials, CredentialsError
from oidc_publisher.cluster.failures import request_failure
from oidc_publisher.controller.kopf.apidiscovery import COLLECTION
from oidc_publisher.controller.kopf.reachability import Contact
from oidc_publisher.timing.backoff import Backoff

#: The pause before a new login after each 401, because a correction of the credentials takes seconds.
_RELOGIN = Backoff(base_s=0.1, cap_s=1.0)


class KopfSessions:
    """KopfSessions makes a new session for each login of kopf.

    kopf remembers credentials that got a 401 and never uses equal ones again, so each login returns a new session.
    `asked`: kopf has requested the objects since `begin`, which it does only if it found the resource in discovery.
    `on_list` is called when kopf lists all objects: at its start, and again whenever its watch has lost events.
    """

    def __init__(self, credentials: Credentials, contact: Contact, on_list: Callable[[], None]) -> None:
        self._credentials = credentials
        self._contact = contact
        self._on_list = on_list
        self._session: aiohttp.ClientSession | None = None
        self._refusals = 0
        self.asked = False

    def begin(self) -> None:
        """Note the start of a new run of kopf."""
        self.asked = False

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Register `login` as kopf's login handler."""

        @kopf.on.login(registry=registry, id="login")
        async def login(**_: object) -> kopf.AiohttpSession:
            return await self.login()

    async def login(self) -> kopf.AiohttpSession:
        """Return a new session; after a refusal, pause and renew the credentials first.

        This method never raises, because kopf would wait for a minute after an error.
        """
        if self._refusals:
            await asyncio.sleep(_RELOGIN.delay(self._refusals, random.random))
            try:
                await self._credentials.renew()
            except CredentialsError as error:
                self._contact.failed(error.message)
        await self.close()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._credentials.tls),
            middlewares=(self._through,),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "oidc-publisher"},
            proxy=self._credentials.proxy,
            trust_env=False,
        )
        return kopf.AiohttpSession(server=self._credentials.server, aiohttp_session=self._session)

    async def close(self) -> None:
        """Close the present session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _through(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Add credentials and the server name to a request, and note its result."""
        self.asked = self.asked or request.url.path == COLLECTION
        self._contact.asked()
        request.server_hostname = self._credentials.tls_server_name
        try:
            request.headers.update(await self._credentials.headers())
            response = await handler(request)
        except CredentialsError as error:
            self._contact.failed(error.message)
            raise aiohttp.ClientConnectionError(error.message) from error  # kopf retries this error
        except (aiohttp.ClientError, OSError) as error:
            self._contact.failed(request_failure(error, self._credentials.host_port).message)
            if isinstance(error, aiohttp.ClientConnectorCertificateError):
                await self._trust_again()
            raise
        self._note(response)
        return response

    async def _trust_again(self) -> None:
        """Close the session if the CA was replaced, so that kopf logs in again with the new CA."""
        try:
            if await self._credentials.renew_trust():
                await self.close()
        except CredentialsError as error:
            self._contact.failed(error.message)

    def _note(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status == HTTPStatus.TOO_MANY_REQUESTS:  # its storage is not ready yet: neither a failure nor an answer
            return
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._refusals += status == HTTPStatus.UNAUTHORIZED
            self._contact.failed(f"{self._credentials.host_port} answers {status} to {response.url.path}")
            return
        self._refusals = 0
        self._contact.answered()
        if response.ok and response.url.path == COLLECTION and "watch" not in response.url.query:
            self._on_list()
