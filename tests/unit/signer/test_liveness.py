"""A signer that hangs ends, so that another one is started; one that answers, or that was asked to stop, does not."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from oidc_publisher.signer.liveness import Liveness
from oidc_publisher.signer.server import GrpcServer
from oidc_publisher.signer.server.messages import claims_of


@dataclass(slots=True)
class Server:
    """A signer in a thread, whose event loop a test can stop; `calls` are the names of the calls that came."""

    path: Path
    calls: list[str] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve in a thread."""
        thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        thread.start()
        server = GrpcServer(self.path, {"Sign": self.sign, "FetchKeys": self.fetch_keys, "Metadata": self.metadata})
        asyncio.run_coroutine_threadsafe(server.start(), self.loop).result(10)
        try:
            yield
        finally:
            self.hanging.set()
            asyncio.run_coroutine_threadsafe(server.stop(), self.loop).result(10)
            self.loop.call_soon_threadsafe(self.loop.stop)
            thread.join(10)
            self.loop.close()

    def hang(self) -> None:
        """Stop the event loop until the end, as a library that blocks does."""
        self.loop.call_soon_threadsafe(self.hanging.wait)

    async def sign(self, request: bytes) -> bytes:
        """Answer Sign."""
        assert claims_of(request) == "e30"
        self.calls.append("Sign")
        return b""

    async def fetch_keys(self, _: bytes) -> bytes:
        """Answer FetchKeys."""
        self.calls.append("FetchKeys")
        return b""

    async def metadata(self, _: bytes) -> bytes:
        """Answer Metadata."""
        self.calls.append("Metadata")
        return b""


@dataclass(slots=True)
class Watch:
    """A liveness whose time runs fast, and its thread."""

    path: Path
    waits: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    ending: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watching(self) -> Iterator[threading.Thread]:
        """Watch in a thread."""
        liveness = Liveness(
            self.path, lambda: self.waits, self.ending, end=self.ended.set, period_s=0.05, patience_s=0.3
        )
        thread = threading.Thread(target=liveness.watch, daemon=True)
        thread.start()
        try:
            yield thread
        finally:
            self.ending.set()
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A signer."""
    return Server(tmp_path / "signer.sock")


def _wait(holds: threading.Event | Iterator[bool]) -> None:
    if isinstance(holds, threading.Event):
        assert holds.wait(20)
        return
    pause = threading.Event()
    for _ in range(2000):
        if next(holds):
            return
        pause.wait(0.01)
    raise AssertionError("the condition never held")


def _called(server: Server, times: int, name: str) -> Iterator[bool]:
    while True:
        yield server.calls.count(name) >= times


def test_a_signer_that_answers_lives(server: Server) -> None:
    """By a Sign over its own socket, again and again."""
    watch = Watch(server.path)
    with server.serving(), watch.watching():
        _wait(_called(server, 10, "Sign"))
    assert not watch.ended.is_set()
    assert set(server.calls) == {"Sign"}


def test_a_signer_that_hangs_ends(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """While its socket still takes connections, which is all that a look from outside would see."""
    watch = Watch(server.path)
    with server.serving(), watch.watching():
        _wait(_called(server, 2, "Sign"))
        server.hang()
        _wait(watch.ended)
    (record,) = (record for record in caplog.records if record.levelno == logging.CRITICAL)
    assert "This signer ends, because it has not answered itself for" in record.getMessage()


def test_a_socket_that_was_removed_ends_the_signer(server: Server) -> None:
    """No API server could connect to it again; the next signer makes a new one."""
    watch = Watch(server.path)
    with server.serving():
        server.path.unlink()
        with watch.watching():
            _wait(watch.ended)


def test_before_the_ring_was_read_nothing_is_signed(server: Server) -> None:
    """S10: the first Sign begins the time after which the disk has to do, and the first FetchKeys is an API server's."""
    watch = Watch(server.path, waits=True)
    with server.serving(), watch.watching():
        _wait(_called(server, 3, "Metadata"))
        assert set(server.calls) == {"Metadata"}
        watch.waits = False
        _wait(_called(server, 1, "Sign"))


def test_a_signer_that_was_asked_to_stop_is_left_alone(server: Server) -> None:
    """Its connections end then."""
    watch = Watch(server.path)
    with server.serving(), watch.watching() as thread:
        _wait(_called(server, 1, "Sign"))
        watch.ending.set()
        server.hang()
        thread.join(10)
    assert not watch.ended.is_set()


def test_the_process_ends_at_once() -> None:
    """Without a word to anything that hangs, and with a code that its supervisor takes for a failure."""
    program = "import atexit; from oidc_publisher.signer.liveness import end_at_once; atexit.register(print, 'x'); end_at_once()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (70, b"")
