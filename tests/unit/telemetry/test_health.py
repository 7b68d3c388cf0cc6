"""The health pages over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from oidc_publisher.telemetry.address import Address
from oidc_publisher.telemetry.health import Checks, HealthServer, Heartbeat, ListenError, Readiness

Get = Callable[[HealthServer, str], Awaitable[tuple[int, str]]]

LOCAL = Address("127.0.0.1", 0)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Say the time."""
        return self.now


class ApiServer:
    """Stands for the API server: answers what it is told to, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: str | Exception | None = None
        self.delay_s = 0.0

    async def __call__(self) -> str | None:
        """Answer."""
        self.asked += 1
        await asyncio.sleep(self.delay_s)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
async def get() -> AsyncIterator[Get]:
    """A function that reads a page: its status and text."""
    async with aiohttp.ClientSession() as session:

        async def page(server: HealthServer, path: str) -> tuple[int, str]:
            async with session.get(f"{server.url}{path}") as answer:
                return answer.status, await answer.text()

        yield page


async def test_a_healthy_operator_names_its_checks(get: Get) -> None:
    """As kube-apiserver does; /healthz is an alias for old habits."""
    server = HealthServer(LOCAL, Checks({"loop": lambda: None, "queue": lambda: None}, {}))
    await server.start()
    try:
        page = await get(server, "/livez")
        assert page == (200, "[+]loop ok\n[+]queue ok\nlivez check passed\n")
        assert await get(server, "/healthz") == page
    finally:
        await server.stop()


async def test_a_failed_check_is_500_with_its_reason(get: Get) -> None:
    """The page says which check failed and why; the others are still shown."""
    server = HealthServer(LOCAL, Checks({"loop": lambda: None, "queue": lambda: "stuck"}, {}))
    await server.start()
    try:
        page = await get(server, "/livez")
        assert page == (500, "[+]loop ok\n[-]queue failed: stuck\nlivez check failed\n")
    finally:
        await server.stop()


async def test_not_ready_is_503_and_live_does_not_care(get: Get) -> None:
    """A restart does not bring the API server back."""
    api_server = ApiServer()
    api_server.answer = "connection refused"
    server = HealthServer(LOCAL, Checks({"loop": lambda: None}, {"apiserver": api_server}))
    await server.start()
    try:
        page = await get(server, "/readyz")
        assert page == (503, "[-]apiserver failed: connection refused\nreadyz check failed\n")
        assert (await get(server, "/livez"))[0] == 200
    finally:
        await server.stop()


async def test_readiness_is_asked_for_once_a_second_whoever_asks() -> None:
    """Many probes at once are one question to the API server."""
    clock, api_server = Clock(), ApiServer()
    readiness = Readiness(api_server, clock)
    await asyncio.gather(*(readiness.check() for _ in range(20)))
    assert api_server.asked == 1
    api_server.answer = "gone"
    assert await readiness.check() is None
    clock.now += 1.5
    assert await readiness.check() == "gone"
    assert api_server.asked == 2


async def test_readiness_is_an_answer_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubelet waits for one second: then it would never see the reason."""
    monkeypatch.setattr("oidc_publisher.telemetry.health.READY_TIMEOUT_S", 0.02)
    api_server = ApiServer()
    api_server.delay_s = 60.0
    assert await Readiness(api_server).check() == "no answer within 0.02 s"


async def test_an_error_while_asking_is_the_answer() -> None:
    """Whatever goes wrong, the page is served."""
    api_server = ApiServer()
    api_server.answer = ZeroDivisionError()
    assert await Readiness(api_server).check() == "ZeroDivisionError"


async def test_a_silent_loop_is_named() -> None:
    """After the loop was blocked, the beat is old until the next one."""
    clock = Clock()
    heartbeat = Heartbeat(clock)
    assert heartbeat.check() is None
    clock.now += 45
    assert heartbeat.check() == "the event loop's last beat was 45 s ago"
    beating = asyncio.create_task(heartbeat.run())
    await asyncio.sleep(0)
    assert heartbeat.check() is None
    beating.cancel()


async def test_an_address_in_use_is_refused_with_the_address() -> None:
    """The message is a sentence about the option's value."""
    first = HealthServer(LOCAL, Checks({}, {}))
    await first.start()
    try:
        with pytest.raises(ListenError, match=rf"cannot listen on 127\.0\.0\.1:{first.port}: address already in use"):
            await HealthServer(Address("127.0.0.1", first.port), Checks({}, {})).start()
    finally:
        await first.stop()


async def test_a_host_without_an_address_is_refused() -> None:
    """A typing error in the host name is not an internal error."""
    with pytest.raises(ListenError, match=r"cannot listen on no\.such\.host\.invalid:8080"):
        await HealthServer(Address("no.such.host.invalid", 8080), Checks({}, {})).start()
