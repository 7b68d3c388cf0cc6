"""An API server for the commands, and a kubeconfig that leads to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.apistub import APIStub, says, serving
from tests.support.commands import EVENTS, NO_EVENTS, PATH, ready_now

if TYPE_CHECKING:
    from tests.support.pki import PKI


@pytest.fixture(scope="module")
def api(pki: PKI) -> Iterator[APIStub]:
    """An API server in a thread of its own, for a command has an event loop of its own."""
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()
    stubs: list[APIStub] = []

    async def serve() -> None:
        async with serving(pki) as stub:
            stubs.append(stub)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(30)
    yield stubs[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture
def kubeconfig(api: APIStub, pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig for it, in the environment; it serves the issuer of `statuses` without events."""
    api.answers.clear()
    api.on("GET", PATH, says(ready_now()))
    api.on("GET", EVENTS, NO_EVENTS)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        "clusters": [
            {"name": "one", "cluster": {"server": f"https://{api.address}", "certificate-authority": str(pki.ca_file)}}
        ],
        "users": [{"name": "one", "user": {"token": "irrelevant"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path
