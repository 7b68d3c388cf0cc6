"""The operator dies at every single call of its store, one after the other; its readers never notice, and it recovers.

The edge before the store counts the operator's own calls. At the chosen one it kills the operator by SIGKILL: either
before the call reaches the store, or after it took effect and before the answer is heard. Only writes change what
readers see, so after each of them a stranger reads both documents.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from aiohttp import web

from tests.live.places import events
from tests.live.rotation_proof.keys import ENTRY_PATTERN, KeyFolder, VersionedKey
from tests.support import faults
from tests.support.edge import READS, WRITES
from tests.support.processes import wait_for
from tests.support.signingkeys import signing_key
from tests.support.stage import BUCKET, PREFIX, Stage, condition
from tests.support.stranger import Stranger

JWKS = f"{PREFIX}/openid/v1/jwks"
DISCOVERY = f"{PREFIX}/.well-known/openid-configuration"
Moment = Literal["before", "after"]
#: "after" for each call, and "before" for the first write: what lies between two calls is the same moment for the store.
FIRST_PUBLICATION: list[tuple[int, Moment]] = [(n, "after") for n in range(1, 7)] + [(3, "before"), (6, "before")]
ROTATION_STEP: list[tuple[int, Moment]] = [(n, "after") for n in range(1, 7)] + [(1, "before")]

TIMES = {"firstSeenTime", "publishedTime", "servedSinceTime", "safeSinceTime"}
FIRST = VersionedKey(1, signing_key("RSA-2048", "first"))


@dataclass(slots=True)
class Executioner:
    """Kills the operator of a stage at one of its calls, which `died_at` names then.

    `from_write_on` begins to count with the first write instead of with the first call.
    """

    stage: Stage
    stranger: Stranger
    died_at: str = ""
    seen: list[str] = field(default_factory=list)
    _at: int = 0
    _moment: Moment = "after"
    _from_write_on: bool = False
    _count: int = 0

    def arm(self, at: int, moment: Moment, *, from_write_on: bool = False) -> None:
        """Kill at the call of this number, once."""
        self.died_at, self.seen, self._count = "", [], 0
        self._at, self._moment, self._from_write_on = at, moment, from_write_on

    async def __call__(self, exchange: faults.Exchange) -> web.StreamResponse:
        """Pass a request on, and kill its sender if it is time."""
        request = exchange.request
        if "Authorization" not in request.headers:
            return await faults.passed_on(exchange)
        name = f"{request.method} {request.raw_path.partition('?')[0].rpartition('/')[2]}"
        self.seen.append(name)
        moment = self._moment if self._is_time(request.method) else None
        if moment == "before":
            return await self._execute(name)
        answer = await exchange.forward()
        if request.method in WRITES:
            await asyncio.to_thread(self.stranger.look)
        return await self._execute(name) if moment else faults.respond(request, answer)

    def _is_time(self, method: str) -> bool:
        if self._at == 0 or (self._from_write_on and not self._count and method in READS):
            return False
        self._count += 1
        return self._count == self._at

    async def _execute(self, name: str) -> web.StreamResponse:
        await asyncio.to_thread(self.stage.operator.kill)
        self._at, self.died_at = 0, name
        return web.Response(status=503)  # to nobody


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> KeyFolder:
    """A folder of key files with the first key."""
    folder = KeyFolder(tmp_path_factory.mktemp("files") / "keys")
    folder.add(FIRST)
    return folder


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, files: KeyFolder) -> Iterator[Stage]:
    """One API server, S3, and an operator that has not been started."""
    with Stage(tmp_path_factory.mktemp("stage"), servers=1, key=FIRST.key) as running:
        running.operator = running.make_operator(f"--key-files-root={files.path}")
        running.apply_crd()
        yield running


@pytest.fixture
def executioner(stage: Stage) -> Iterator[Executioner]:
    """Whoever kills the operator; a test that ends leaves it dead, and the place empty."""
    chosen = Executioner(stage, Stranger(stage.edge, f"/{BUCKET}/{PREFIX}"))
    stage.edge.misbehave("/", chosen, methods=(*READS, *WRITES))
    yield chosen
    stage.operator.kill()
    stage.edge.heal()
    _clear(stage)


@pytest.mark.timeout(300)
def test_a_first_publication_survives_a_kill_at_each_call(
    stage: Stage, files: KeyFolder, executioner: Executioner
) -> None:
    """Two reads, the key set, two writes that prove the server, the discovery document: dead at each, then Ready."""
    died = []
    for at, moment in FIRST_PUBLICATION:
        executioner.stranger.begin_anew()
        executioner.arm(at, moment)
        stage.operator.start()
        stage.apply(_issuer(stage, files))
        died.append(f"{moment} {_await_death(executioner)}")
        executioner.stranger.needed = _published(stage)
        executioner.stranger.look()
        stage.operator.start()
        stage.wait_ready()
        assert _published(stage) == {FIRST.kid}
        stage.operator.kill()
        _clear(stage)
    assert executioner.stranger.complaints == []
    assert {"after PUT jwks", "after PUT openid-configuration", "before PUT openid-configuration"} <= set(died), died


@pytest.mark.timeout(300)
def test_a_rotation_survives_a_kill_at_each_call(stage: Stage, files: KeyFolder, executioner: Executioner) -> None:
    """A key comes and a key goes, and the operator dies at each call from the first write of each step on."""
    stage.operator.start()
    stage.apply(_issuer(stage, files))
    stage.wait(lambda s: _times(s).keys() == TIMES, what="the first key is safe")
    times = _times(stage.get()["status"])
    executioner.stranger.needed = {FIRST.kid}
    died = []
    for number, (at, moment) in enumerate(ROTATION_STEP, start=2):
        new = VersionedKey(number, signing_key("P-384", f"version {number}"))
        executioner.arm(at, moment, from_write_on=True)
        files.add(new)
        died.append(f"grows: {moment} {_await_death(executioner)}")
        stage.operator.start()
        _wait_published(stage, {FIRST.kid, new.kid})
        executioner.arm(at, moment, from_write_on=True)
        files.remove(new)
        died.append(f"shrinks: {moment} {_await_death(executioner)}")
        stage.operator.start()
        _wait_published(stage, {FIRST.kid})
    status = stage.wait_ready()["status"]
    assert executioner.stranger.complaints == []
    assert _times(status) == times, "what was known of the first key is known"
    assert events(stage, "LedgerRebuilt") == [], "the ledger is saved before each write (R12)"
    for step in ("grows", "shrinks"):
        assert {f"{step}: after PUT jwks", f"{step}: after PUT openid-configuration"} <= set(died), died
        assert f"{step}: before PUT {'jwks' if step == 'grows' else 'openid-configuration'}" in died, "the first write"


def _times(status: dict[str, Any]) -> dict[str, str]:
    """The times of the first key that never change once they are there."""
    found: dict[str, str] = next((key for key in status.get("keys", []) if key["keyID"] == FIRST.kid), {})
    return {name: found[name] for name in TIMES if name in found}


def _issuer(stage: Stage, folder: KeyFolder) -> dict[str, object]:
    files = {"directory": str(folder.path), "entryPattern": ENTRY_PATTERN}
    return stage.issuer(
        interval="1s",
        rotation={"prePublishPeriod": "1s", "maxTokenLifetime": "1s", "clockSkew": "1s"},
        keySources=[{"name": "api", "apiServer": {}}, {"name": "files", "files": files}],
    )


def _published(stage: Stage) -> set[str]:
    body = stage.s3.get(BUCKET, JWKS)
    return {key["kid"] for key in json.loads(body)["keys"]} if body else set()


def _await_death(executioner: Executioner) -> str:
    wait_for(lambda: bool(executioner.died_at), timeout_s=20, what=f"the kill; the calls were {executioner.seen}")
    return executioner.died_at


def _wait_published(stage: Stage, kids: set[str]) -> None:
    """Wait until exactly these are published and nothing is left to be written: both documents have the ledger's serial."""
    stage.wait(
        lambda s: (
            {k["keyID"] for k in s.get("keys", [])} == _published(stage) == kids
            and condition(s, "Published") == "True"
            and _serials(stage) == {str(s.get("publication", {}).get("serial"))}
        ),
        what=f"{kids} published",
    )


def _serials(stage: Stage) -> set[str]:
    found = (stage.s3.get_object(BUCKET, path) for path in (DISCOVERY, JWKS))
    return {each["Metadata"]["oidc-publisher-serial"] if each else "none" for each in found}


def _clear(stage: Stage) -> None:
    """No issuer, no document: the discovery document goes first, as readers may still look."""
    stage.cluster.kubectl("delete", "oidci", "--all", "--wait=true")
    for path in (DISCOVERY, JWKS):
        stage.s3.delete(BUCKET, path)
