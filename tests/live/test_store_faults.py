"""A store that is away, throttles, loses answers or refuses: everything is named, nothing is lost, all heals by itself."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.live.places import DISCOVERY, JWKS
from tests.live.rotation_proof.keys import ENTRY_PATTERN, KeyFolder, VersionedKey
from tests.support import faults
from tests.support.edge import READS, WRITES
from tests.support.signingkeys import signing_key
from tests.support.stage import BUCKET, PREFIX, Stage, condition, reasons
from tests.support.stranger import Stranger

FIRST = VersionedKey(1, signing_key("P-256", "version 1"))
#: Another algorithm, so that both documents change with it.
SECOND = VersionedKey(2, signing_key("P-384", "version 2"))
USER, OTHER_USER, SECRET = "publisher", "publisher-renewed", "the secret of both"
#: What periods of seconds always bring.
QUIET = {"PrePublishShort", "TokenOutlivesPolicy", "PrePublishing"}
#: What the second key brings, of another type and in a file alone.
OF_SECOND = {"KeyTypeChange", "KeyUnknownToAPIServer"}
SEED = 20260101


@dataclass(slots=True)
class Running:
    """The stage, the folder of key files, the operator's file of credentials, and a reader who looks at each write."""

    stage: Stage
    files: KeyFolder
    credentials: Path
    stranger: Stranger
    dealt: Counter[str] = field(default_factory=Counter)

    def grant(self, user: str) -> None:
        """Replace the operator's credentials as a sidecar does."""
        self.credentials.write_text(f"[default]\naws_access_key_id={user}\naws_secret_access_key={SECRET}\n")

    def deny(self, *actions: str) -> None:
        """Let everybody read and the operator do anything, but these things."""
        anybody, operator = {"Principal": {"AWS": ["*"]}}, {"Principal": {"AWS": [USER, OTHER_USER]}}
        where = {"Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]}
        statements = [
            {"Effect": "Allow", "Action": ["s3:GetObject"], **anybody, **where},
            {"Effect": "Allow", "Action": ["s3:*"], **operator, **where},
        ]
        if actions:
            statements.append({"Effect": "Deny", "Action": list(actions), **operator, **where})
        self.stage.s3.set_policy(BUCKET, *statements)

    def misbehave(self, choose: Callable[[web.Request], faults.Fault]) -> None:
        """Do this to the operator's own calls; strangers are served as ever, and look after each write."""

        async def fault(exchange: faults.Exchange) -> web.StreamResponse:
            if "Authorization" not in exchange.request.headers:
                return await faults.passed_on(exchange)
            answer = await choose(exchange.request)(exchange)
            if exchange.request.method in WRITES:
                await asyncio.to_thread(self.stranger.look)
            return answer

        self.stage.edge.misbehave("/", fault, methods=(*READS, *WRITES))

    def published(self) -> set[str]:
        """Key IDs of the stored set."""
        body = self.stage.s3.get(BUCKET, JWKS)
        return {key["kid"] for key in json.loads(body)["keys"]} if body else set()

    def serials(self) -> set[str]:
        """What the marks of both documents say of the write that stored them."""
        found = (self.stage.s3.get_object(BUCKET, path) for path in (DISCOVERY, JWKS))
        return {each["Metadata"]["oidc-publisher-serial"] if each else "none" for each in found}

    def wait_published(self, *keys: VersionedKey, timeout_s: float = 20.0) -> None:
        """Wait until exactly these keys are published, the status says so and nothing is left to be written."""
        kids = {key.kid for key in keys}
        self.stage.wait(
            lambda s: (
                condition(s, "Ready") == "True"
                and s["publication"]["keyCount"] == len(kids)
                and self.published() == kids
                and self.serials() == {str(s["publication"]["serial"])}
            ),
            what=f"{kids} published and Ready",
            timeout_s=timeout_s,
        )


@pytest.fixture(scope="module")
def ever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One API server, S3 with a user to whom policies apply, and the operator with one issuer."""
    folder = tmp_path_factory.mktemp("faults")
    with Stage(folder / "stage", servers=1, key=FIRST.key) as stage:
        stranger = Stranger(stage.edge, f"/{BUCKET}/{PREFIX}")
        running = Running(stage, KeyFolder(folder / "keys"), folder / "credentials", stranger)
        running.files.add(FIRST)
        for user in (USER, OTHER_USER):
            stage.s3.create_user(user, SECRET)
        running.deny()
        running.grant(USER)
        stage.operator = stage.make_operator(f"--key-files-root={running.files.path}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del stage.operator.process.env[name]
        stage.operator.process.env["AWS_SHARED_CREDENTIALS_FILE"] = str(running.credentials)
        stage.apply_crd()
        stage.operator.start()
        stage.apply(_issuer(running))
        yield running


@pytest.fixture
def running(ever: Running) -> Iterator[Running]:
    """The stage with a Ready issuer of one key; afterwards it is so again, or the test has failed."""
    pid = ever.stage.operator.process.pid
    ever.wait_published(FIRST, timeout_s=40)
    ever.stranger.needed = {FIRST.kid}
    yield ever
    ever.stage.edge.heal()
    if (ever.files.path / SECOND.file_name).exists():
        ever.files.remove(SECOND)
    ever.wait_published(FIRST, timeout_s=40)
    ever.stage.wait(lambda s: reasons(s) <= QUIET, what="no finding but those of the short periods", timeout_s=40)
    assert ever.stage.operator.process.pid == pid, "without a restart"
    assert ever.stranger.complaints == []


def test_a_store_that_is_away_for_many_intervals_loses_nothing(running: Running) -> None:
    """Published is Unknown and so is Ready in the end; the last good stays, and what comes meanwhile is made up for."""
    stage, before = running.stage, running.stage.edge.fetch(f"/{BUCKET}/{JWKS}").body
    running.misbehave(lambda _: faults.reset())
    found = stage.wait_for_reason("StoreUnavailable")
    assert _of(found, "Published")["status"] == "Unknown"
    running.files.add(SECOND)
    found = stage.wait(lambda s: condition(s, "Ready") == "Unknown", what="Ready is Unknown after three intervals")
    assert {key["keyID"] for key in found["status"]["keys"]} == {FIRST.kid, SECOND.kid}, "the ledger knows it already"
    said = _of(found, "Published")["message"]
    time.sleep(6)
    found = stage.get()
    assert _of(found, "Published")["reason"] == "StoreUnavailable"
    assert _of(found, "Published")["message"] == said, "a message that changes would be a PATCH each time"
    assert _of(found, "Served")["status"] == "True", "relying parties do not notice"
    assert stage.edge.fetch(f"/{BUCKET}/{JWKS}").body == before
    stage.edge.heal()
    running.wait_published(FIRST, SECOND)


def test_an_outage_is_over_when_the_store_is_back_and_not_an_interval_later(running: Running) -> None:
    """With an interval of an hour: a store that is away is asked again after pauses that grow from half a second."""
    stage, asked = running.stage, list[float]()

    def away(_: web.Request) -> faults.Fault:
        asked.append(time.monotonic())
        return faults.s3_error(503)

    stage.apply(_issuer(running, interval="1h"))
    stage.wait_ready()
    running.misbehave(away)
    stage.cluster.kubectl("annotate", "oidci/prod", "oidc-publisher.io/reconcile-requested-at=away", "--overwrite")
    try:
        stage.wait_for_reason("StoreUnavailable")
        time.sleep(6)
        attempts = len(asked)
        stage.edge.heal()
        stage.wait(lambda s: condition(s, "Published") == "True", what="Published", timeout_s=15)
    finally:
        stage.apply(_issuer(running))
    assert 8 <= attempts <= 32, "two documents, two attempts each, in at least two and at most eight passes"


def test_a_store_whose_answers_trickle_is_late_and_the_operator_goes_on(running: Running) -> None:
    """It is never silent, and no single read of it is late: named at the deadline, and no reason for a restart."""
    stage = running.stage
    running.misbehave(lambda _: faults.endless())
    found = stage.wait_for_reason("StoreUnavailable", timeout_s=60)
    assert "the server does not complete its answers within 15 s" in _of(found, "Published")["message"]
    assert _of(found, "Published")["status"] == "Unknown"
    assert stage.operator.health("/livez")[0] == 200
    stage.edge.heal()
    running.wait_published(FIRST, timeout_s=60)


def test_a_rotation_passes_through_errors_at_random(running: Running) -> None:
    """500, 503 SlowDown, 429, reset connections and lost answers at more than half of the calls: late, but whole."""
    chance = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    ways: dict[str, faults.Fault] = {
        "500": faults.s3_error(500),
        "SlowDown": faults.s3_error(503),
        "429": faults.s3_error(429, "TooManyRequests"),
        "reset": faults.reset(),
        "answer lost": faults.answer_lost(),
    }

    def choose(request: web.Request) -> faults.Fault:
        way = chance.choice([*ways, *["passed on"] * 4])
        running.dealt[f"{request.method} {way}"] += 1
        return ways.get(way, faults.passed_on)

    running.misbehave(choose)
    running.files.add(SECOND)
    _until(running, {FIRST.kid, SECOND.kid})
    running.files.remove(SECOND)
    _until(running, {FIRST.kid})
    dealt = {name.partition(" ")[2] for name in running.dealt}
    assert dealt >= set(ways), running.dealt


def test_writes_whose_answers_are_all_lost_are_believed_once_they_are_read(running: Running) -> None:
    """Both attempts at both documents: no error is reported, the serials agree, and nothing is written once more."""
    stage, told = running.stage, set[str]()

    def is_published(status: dict[str, Any]) -> bool:
        told.update(reasons(status))
        return condition(status, "Published") == "True" and running.serials() == {str(status["publication"]["serial"])}

    stage.edge.drop_answer_after_forwarding("PUT", JWKS, times=2)
    stage.edge.drop_answer_after_forwarding("PUT", DISCOVERY, times=2)
    stage.edge.forget_requests()
    running.files.add(SECOND)
    stage.wait(lambda s: running.published() == {FIRST.kid, SECOND.kid} and is_published(s), what="both are published")
    running.wait_published(FIRST, SECOND)
    time.sleep(2.5)
    stage.wait(is_published, what="it stays so for two looks more")
    assert [stage.edge.count("PUT", path=path) for path in (JWKS, DISCOVERY)] == [2, 2], "both attempts, and no more"
    assert told <= QUIET | OF_SECOND


@pytest.mark.timeout(180)
def test_credentials_that_expire_are_replaced_without_a_restart(running: Running) -> None:
    """ExpiredToken until the file has new ones; a key that comes meanwhile is published then."""
    stage, expired = running.stage, f"Credential={USER}/"

    def choose(request: web.Request) -> faults.Fault:
        old = expired in request.headers["Authorization"]
        return faults.s3_error(400, "ExpiredToken") if old else faults.passed_on

    running.misbehave(choose)
    found = stage.wait_for_reason("AccessDenied")
    assert "(ExpiredToken)" in _of(found, "Published")["message"]
    running.files.add(SECOND)
    running.grant(OTHER_USER)
    running.wait_published(FIRST, SECOND, timeout_s=60)


def test_a_policy_that_denies_reads_but_not_writes_is_named_and_nothing_is_overwritten(running: Running) -> None:
    """Who cannot read what is there must not write: AccessDenied names the permission, and not a byte changes."""
    stage, before = running.stage, running.stage.s3.get(BUCKET, JWKS)
    running.deny("s3:GetObject")
    try:
        found = stage.wait_for_reason("AccessDenied")
        assert _of(found, "Published")["status"] == "False"
        assert _of(found, "Served")["status"] == "True", "strangers may still read"
        assert f"s3:GetObject on s3://{BUCKET}/{PREFIX}/" in _of(found, "Published")["message"]
        stage.edge.forget_requests()
        running.files.add(SECOND)
        stage.wait(lambda s: SECOND.kid in {k["keyID"] for k in s.get("keys", [])}, what="the ledger knows the new key")
        time.sleep(3)
        assert stage.edge.writes() == 0
        assert stage.edge.count("GET") > 0, "it does look"
        assert stage.s3.get(BUCKET, JWKS) == before
    finally:
        running.deny()
    running.wait_published(FIRST, SECOND)


def _issuer(running: Running, *, interval: str = "1s") -> dict[str, Any]:
    files = {"directory": str(running.files.path), "entryPattern": ENTRY_PATTERN}
    return running.stage.issuer(
        interval=interval,
        rotation={"prePublishPeriod": "1s", "maxTokenLifetime": "1s", "clockSkew": "1s"},
        keySources=[{"name": "api", "apiServer": {}}, {"name": "files", "files": files}],
    )


def _until(running: Running, kids: set[str], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while running.published() != kids:
        assert time.monotonic() < end, f"not within {timeout_s:g} s: {kids}; {running.dealt}"
        time.sleep(0.1)


def _of(found: dict[str, Any], kind: str) -> dict[str, str]:
    conditions: list[dict[str, str]] = found["status"]["conditions"]
    return next(each for each in conditions if each["type"] == kind)
