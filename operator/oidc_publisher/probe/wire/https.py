"""Fetch a URL anonymously: no credentials, cookies or redirects, within a deadline, up to BODY_LIMIT_BYTES."""

from __future__ import annotations

import asyncio
import base64
import functools
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import aiohttp
import yarl

from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason
from oidc_publisher.probe.proxies import Proxy, environment_proxy
from oidc_publisher.probe.wire import failures, proxyfailures
from oidc_publisher.probe.wire.addresses import Gate, resolver_answers
from oidc_publisher.probe.wire.chain import judge_chain, sent_chain
from oidc_publisher.probe.wire.connector import Connector, session_of
from oidc_publisher.probe.wire.knocks import Knock, knock_at_all
from oidc_publisher.probe.wire.port import BODY_LIMIT_BYTES, Deadline, Fetched, Validity, Visit
from oidc_publisher.probe.wire.publicroots import is_publicly_trusted
from oidc_publisher.probe.wire.trust import Trust, roots_state
from oidc_publisher.timing.httpdate import parsed_date
from oidc_publisher.timing.starvation import Starvation

#: A reader that did not run for half of the deadline, and for so long, cannot blame the host for the time.
_STARVED_S = 1.0
# The time for a further request that tells two causes of a failure apart.
_DIAGNOSIS_TIMEOUT = timedelta(seconds=3)


class HTTPSWire:
    """HTTPSWire fetches over the network, with the settings of one issuer's probe.

    `certificate_authority` is PEM, trusted beside the system's roots. `pinned` gives hosts an address without asking the
    resolver. `proxy` is the one that the spec names; without it the environment's is used, for hosts that NO_PROXY does not
    name. Hosts in `pinned` are reached without a proxy. Each visit has its own connection, so that a probe costs as many
    handshakes as visits.
    """

    def __init__(
        self,
        *,
        certificate_authority: str = "",
        allow_private_address: bool = False,
        pinned: Mapping[str, str] | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self._proxy = proxy
        self._certificate_authority = certificate_authority
        self._allow_private_address = allow_private_address
        self._pinned = {host.lower(): address for host, address in (pinned or {}).items()}
        self._trust: Trust | None = None

    @asynccontextmanager
    async def visit(self, number: int) -> AsyncIterator[Visit]:
        """Yield a visit, and close its connection at the end (see Wire.visit)."""
        trust = await self._current_trust()
        context = trust.tls12 if number == 0 else trust.current
        gate = self._gate(number)
        connector = Connector(gate, context)
        async with session_of(connector) as session:
            try:
                with Starvation() as starvation:
                    yield _HTTPSVisit(self, session, connector, gate, trust, starvation, strict=number == 1)
            finally:
                connector.hang_up()

    async def knock(self, host: str, port: int, timeout: timedelta) -> tuple[Knock, ...]:  # noqa: ASYNC109 - of each knock
        """Connect to every address of a host at once, and return what each of them shows (see knocks)."""
        if self.proxy_for(host) is not None:
            return ()
        return await knock_at_all(host, port, self._gate(0), await self._current_trust(), timeout)

    def proxy_for(self, host: str) -> Proxy | None:
        """Return the proxy by which this host is reached; raises FetchError where the environment names no proxy."""
        if host.lower() in self._pinned:
            return None
        return self._proxy or environment_proxy(host)

    @property
    def has_own_authority(self) -> bool:
        """Whether a certificate authority was given, so that a private one may be the host's own."""
        return bool(self._certificate_authority)

    def _gate(self, number: int) -> Gate:
        return Gate(number, allow_private=self._allow_private_address, pinned=self._pinned)

    async def _current_trust(self) -> Trust:
        trust = self._trust
        if trust is None or trust.roots != roots_state():
            trust = self._trust = await asyncio.to_thread(Trust.of, self._certificate_authority)
        return trust


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A leaf is what the host's own certificate states."""

    validity: Validity
    negative_serial: bool

    @classmethod
    def of(cls, certificate: Mapping[str, Any]) -> Self:
        """Return what a certificate states, as the TLS stack has decoded it."""
        validity = Validity(*(_time_of(str(certificate[name])) for name in ("notBefore", "notAfter")))
        return cls(validity, str(certificate.get("serialNumber", "")).startswith("-"))


@functools.lru_cache(maxsize=512)  # every visit sees the same certificates again
def _time_of(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


class _HTTPSVisit:
    def __init__(
        self,
        wire: HTTPSWire,
        session: aiohttp.ClientSession,
        connector: Connector,
        gate: Gate,
        trust: Trust,
        starvation: Starvation,
        *,
        strict: bool,
    ) -> None:
        self._wire = wire
        self._session = session
        self._strict = strict
        self._spent_s = 0.0
        self._connector = connector
        self._gate = gate
        self._trust = trust
        self._starvation = starvation

    async def get(self, url: str, deadline: Deadline) -> Fetched:
        """Fetch one URL (see Visit.get)."""
        proxy = self._proxy_of(url)
        try:
            return await (self._get_strictly if self._strict else self._get_in_time)(url, deadline)
        except TimeoutError:
            if self._starvation.seconds > max(deadline.timeout.total_seconds() / 2, _STARVED_S):
                raise failures.no_time_to_look(url) from None
            if proxy is not None and self._connector.tls is None:
                raise proxyfailures.too_late(url, deadline, proxy) from None
            raise failures.too_late(url, deadline, self._gate, connected=self._connector.tls is not None) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = await self._diagnosis(error, url)
            raise failure from error

    async def _get_strictly(self, url: str, deadline: Deadline) -> Fetched:
        """Fetch as Python 3.13 does, and as other relying parties do where that refuses the certificate."""
        began = asyncio.get_running_loop().time()
        try:
            return await self._get_in_time(url, deadline, self._trust.strict)
        except aiohttp.ClientConnectorCertificateError as error:
            refusal = failures.verify_message(error)
        self._spent_s += asyncio.get_running_loop().time() - began  # no relying party needs the time of two handshakes
        return replace(await self._get_in_time(url, deadline), strict_refusal=refusal)

    async def _get_in_time(self, url: str, deadline: Deadline, context: ssl.SSLContext | None = None) -> Fetched:
        """Fetch one URL before the deadline, with the connector's TLS context or another one."""
        async with asyncio.timeout_at(deadline.at + self._spent_s):
            return await self._get(_parsed(url), context)

    async def _get(self, url: yarl.URL, context: ssl.SSLContext | None) -> Fetched:
        began, starved_s = asyncio.get_running_loop().time(), self._starvation.seconds
        proxy = self._proxy_of(str(url))
        if proxy is not None:
            self._gate.proxied = True
            self._gate.check_literal(url.raw_host or "")
        async with self._session.get(url, ssl=context or True, allow_redirects=False, **_by(proxy)) as answer:
            headers_at = asyncio.get_running_loop().time()
            body, oversized = await _read(answer)
        ended_at = asyncio.get_running_loop().time()
        headers, leaf = answer.headers, self._leaf()
        return Fetched(
            url=str(url),
            status=answer.status,
            body=body,
            content_type=", ".join(headers.getall("Content-Type", [])),
            cache_control=", ".join(headers.getall("Cache-Control", [])),
            content_encoding=", ".join(headers.getall("Content-Encoding", [])),
            location=headers.get("Location", ""),
            age=headers.get("Age", ""),
            vary=", ".join(headers.getall("Vary", [])),
            oversized=oversized,
            date_offset=_date_offset(headers.get("Date", ""), headers.get("Age", ""), datetime.now(UTC)),
            elapsed=timedelta(seconds=ended_at - began),
            starved=timedelta(seconds=self._starvation.seconds - starved_s),
            certificate=leaf.validity if leaf else None,
            negative_serial=leaf is not None and leaf.negative_serial,
            private_address=self._gate.private,
            phases=self._connector.connecting.phases(self._connector.tls, headers_at=headers_at, ended_at=ended_at),
            proxy=str(proxy) if proxy else "",
            opened_tls=self._opened(str(url), proxy) if proxy else "",
            address="" if proxy else self._connector.peer,
            headers=tuple(headers.items()),
        )

    def _proxy_of(self, url: str) -> Proxy | None:
        try:
            host = yarl.URL(url, encoded=True).raw_host or ""
        except ValueError:  # the request itself will say so
            return None
        return self._wire.proxy_for(host)

    def _opened(self, url: str, proxy: Proxy) -> str:
        """Return why the certificate may be the proxy's own, empty where a public CA issued it, or where one was given."""
        tls = self._connector.tls
        if tls is None or self._wire.has_own_authority:
            return ""
        chain = sent_chain(tls)
        public = is_publicly_trusted(chain, yarl.URL(url, encoded=True).raw_host or "")
        return proxyfailures.not_public(url, chain, proxy) if public is False else ""

    def _leaf(self) -> _Leaf | None:
        """Return what the certificate of the connection states."""
        certificate = self._connector.certificate
        return _Leaf.of(certificate) if certificate else None

    async def _diagnosis(self, error: Exception, url: str) -> FetchError:
        """Return the error for a failure, after a further request where only that shows the cause."""
        proxy = self._proxy_of(url)
        if proxy is not None:
            if failures.is_untrusted_chain(error):
                return proxyfailures.untrusted(url, await self._chain(url), proxy)
            if (failure := proxyfailures.failure_behind(error, url, proxy)) is not None:
                return failure
        if failures.is_silent_resolver(error):
            with suppress(TimeoutError):
                async with asyncio.timeout(_DIAGNOSIS_TIMEOUT.total_seconds()):
                    if await resolver_answers(yarl.URL(url, encoded=True).raw_host or ""):
                        return failures.broken_zone(url)
            return failures.silent_resolver(url)
        if failures.is_chain_question(error):
            return judge_chain(url, await self._chain(url))
        return failures.failure_of(error, url)

    async def _chain(self, url: str) -> tuple[bytes, ...]:
        """Return the certificates that the host sends, read over a connection that verifies none of them."""
        gate = replace(self._gate, resolved=False, private="")
        connector = Connector(gate, self._trust.unverified)
        async with session_of(connector) as session:
            try:
                with suppress(aiohttp.ClientError, OSError):
                    async with (
                        asyncio.timeout(_DIAGNOSIS_TIMEOUT.total_seconds()),
                        session.head(_parsed(url), allow_redirects=False, **_by(self._proxy_of(url))),
                    ):
                        pass
                return sent_chain(connector.tls) if connector.tls else ()
            finally:  # also where the pass has run out of time
                connector.hang_up()


def _by(proxy: Proxy | None) -> dict[str, Any]:
    """Return the options of a request that goes by a proxy."""
    if proxy is None:
        return {}
    if not proxy.user:
        return {"proxy": proxy.url}
    credentials = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
    return {"proxy": proxy.url, "proxy_headers": {"Proxy-Authorization": f"Basic {credentials}"}}


def _parsed(url: str) -> yarl.URL:
    parsed = yarl.URL(url, encoded=True)  # byte for byte: nothing is normalised
    if parsed.scheme != "https" or parsed.user is not None or not parsed.host:
        raise FetchError(Reason.ConnectionFailed, f"Relying parties read https URLs only, not {url}", subject=url)
    return parsed


async def _read(answer: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """Return the body, and whether it was longer than BODY_LIMIT_BYTES and was cut."""
    body = bytearray()
    async for chunk in answer.content.iter_any():  # content.read(n) returns the first chunk only
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            answer.close()
            return bytes(body[:BODY_LIMIT_BYTES]), True
    return bytes(body), False


def _date_offset(date: str, age: str, received: datetime) -> timedelta | None:
    """Return the host's clock minus the operator's, None for a cached answer or one without a Date.

    The Date of a cached answer is when the answer was made or when it was passed on, and no CDN states which.
    """
    stated = parsed_date(date) if age.strip() in ("", "0") else None
    return stated - received if stated else None
