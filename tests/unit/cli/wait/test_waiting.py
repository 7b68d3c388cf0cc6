"""`wait` against an API server and an operator that behave as a test tells them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from oidc_publisher.api import RECONCILE_REQUESTED_AT, OIDCIssuer
from oidc_publisher.cli.connection import NoAnswerError
from oidc_publisher.cli.wait import waiting
from oidc_publisher.cli.wait.verdict import Verdict, VerdictKind, judge_key, judge_ready
from oidc_publisher.cli.wait.waiting import Waiting
from oidc_publisher.cluster import ClusterClient
from tests.support.apistub import client_of, refuses, serving
from tests.support.statuses import HOUR, NEW, NOW, OLD, Object, ago, condition, issuer_object, key

if TYPE_CHECKING:
    from tests.support.pki import PKI

PATH = "/apis/oidc-publisher.io/v1alpha1/oidcissuers/prod"


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_FAST_S", 0.01)


@dataclass
class Cluster:
    """One object; `answers` is what the operator does to it when it was asked, None while it is away."""

    obj: Object = field(default_factory=issuer_object)
    answers: Callable[[Object], None] | None = lambda _: None
    down: int = 0  # so many requests are answered with 503
    asked: int = 0

    async def get(self, _: web.Request) -> web.StreamResponse:
        """The object, or 503."""
        if self.down:
            self.down -= 1
            return web.Response(status=503, text="starting")
        return web.json_response(self.obj)

    async def patch(self, request: web.Request) -> web.StreamResponse:
        """The question, which the operator answers at once."""
        value = (await request.json())["metadata"]["annotations"][RECONCILE_REQUESTED_AT]
        self.obj["metadata"]["annotations"] = {RECONCILE_REQUESTED_AT: value}
        self.asked += 1
        said = web.json_response(self.obj)
        if self.answers is not None:
            self.answers(self.obj)
            self.obj["status"]["lastHandledReconcileAt"] = value
        return said


@asynccontextmanager
async def client(pki: PKI, cluster: Cluster) -> AsyncIterator[ClusterClient]:
    async with serving(pki) as stub:
        stub.on("GET", PATH, cluster.get)
        stub.on("PATCH", PATH, cluster.patch)
        async with client_of(pki, stub.address) as opened:
            yield opened


async def wait_for_key(
    pki: PKI, cluster: Cluster, key_id: str, limit: timedelta = timedelta(seconds=5), told: list[str] | None = None
) -> Verdict:
    def judge(issuer: OIDCIssuer, _: datetime) -> Verdict:
        return judge_key(issuer, key_id, NOW)

    async with client(pki, cluster) as opened:
        lines = told if told is not None else []
        return await Waiting(opened, "prod", judge, limit, lines.append, asks=True).verdict()


async def test_a_fresh_yes_is_a_yes(pki: PKI) -> None:
    """One question, one answer."""
    cluster = Cluster()
    assert (await wait_for_key(pki, cluster, OLD)).answer is VerdictKind.YES
    assert cluster.asked == 1


@pytest.mark.slow
async def test_a_yes_that_rests_is_no_answer(pki: PKI) -> None:
    """The status says safeSinceTime, and the operator is away: it may have been away when the key was taken off the wire."""
    cluster = Cluster(answers=None)
    with pytest.raises(NoAnswerError, match="did not look at prod within 1s of being asked"):
        await wait_for_key(pki, cluster, OLD, timedelta(seconds=1))


async def test_the_answer_counts_and_not_what_stood_there_before(pki: PKI) -> None:
    """The operator finds the key off the wire and takes the permission back."""

    def finds_it_gone(obj: Object) -> None:
        obj["status"]["keys"] = [key(OLD, "Published", servedSinceTime=None)]

    verdict = await wait_for_key(pki, Cluster(answers=finds_it_gone), OLD, timedelta(seconds=0.3))
    assert verdict.answer is VerdictKind.NOT_YET
    assert "has not been seen at the public URL" in verdict.sentence


async def test_a_key_that_becomes_safe_while_we_wait_is_asked_for_once_more(pki: PKI) -> None:
    """The status that says so was not an answer to us."""
    cluster = Cluster()
    cluster.obj["status"]["keys"] = [key(NEW, "Published", servedSinceTime=None)]

    class Told(list[str]):
        def append(self, line: str) -> None:
            super().append(line)
            if len(self) == 2:
                cluster.obj["status"]["keys"] = [key(NEW, "SafeToSign", safeSinceTime=ago(HOUR))]

    told = Told()
    verdict = await wait_for_key(pki, cluster, NEW, told=told)
    assert verdict.answer is VerdictKind.YES
    assert cluster.asked == 2
    assert told[0] == "Asking the operator to look at prod now (it has 3m to answer)."
    assert "has not been seen at the public URL yet" in told[1]


async def test_a_time_behind_the_timeout_ends_the_wait(pki: PKI) -> None:
    """Nobody sits through five minutes to hear that it takes 21 hours."""
    soon = issuer_object()
    far = datetime.now(NOW.tzinfo) + 21 * HOUR
    soon["status"]["keys"][0]["safeToSignTime"] = far.isoformat(timespec="seconds")
    verdict = await asyncio.wait_for(wait_for_key(pki, Cluster(soon), NEW, timedelta(minutes=5)), 5)
    assert verdict.answer is VerdictKind.NOT_YET
    assert verdict.not_before is not None


async def test_an_unknown_key_ends_the_wait(pki: PKI) -> None:
    """Every source was just read."""
    verdict = await asyncio.wait_for(wait_for_key(pki, Cluster(), "other", timedelta(minutes=5)), 5)
    assert verdict.answer is VerdictKind.NO


async def test_a_failing_pass_is_no_answer_at_the_end(pki: PKI) -> None:
    """It echoes the question, but has not looked at the keys."""

    def fails(obj: Object) -> None:
        obj["status"]["conditions"] = [
            condition("Ready", "Unknown", "InternalError", "KeyError."),
            condition("SafeToSign", "Unknown", "Progressing"),
        ]

    with pytest.raises(NoAnswerError, match=r"could not look at the keys\. InternalError"):
        await wait_for_key(pki, Cluster(answers=fails), OLD, timedelta(seconds=0.3))


async def test_an_api_server_that_is_restarted_is_waited_for(pki: PKI) -> None:
    """At the beginning as well as in the middle; told once."""
    told: list[str] = []
    cluster = Cluster(down=5)
    assert (await wait_for_key(pki, cluster, OLD, told=told)).answer is VerdictKind.YES
    assert sum("answered 503" in line for line in told) == 1


async def test_an_api_server_that_stays_away_is_no_answer(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before the timeout, where it never answered."""
    monkeypatch.setattr(waiting, "_FIRST_CONTACT_S", 0.2)
    with pytest.raises(NoAnswerError, match="answered 503"):
        await asyncio.wait_for(wait_for_key(pki, Cluster(down=10**6), OLD, timedelta(minutes=5)), 5)


@pytest.mark.parametrize(
    ("method", "status", "reason", "said"),
    [
        (
            "GET",
            403,
            "Forbidden",
            r"You may not read OIDCIssuer prod \(verb get on oidcissuers\.oidc-publisher\.io\)\.$",
        ),
        ("GET", 401, "Unauthorized", "does not accept your credentials"),
        ("GET", 404, "NotFound", r"There is no OIDCIssuer prod in this cluster\.$"),
        (
            "PATCH",
            403,
            "Forbidden",
            r"You may not ask the operator .* \(verb patch on oidcissuers\.oidc-publisher\.io\)\.$",
        ),
        ("PATCH", 404, "NotFound", "There is no OIDCIssuer prod"),
    ],
)
async def test_a_refusal_says_what_is_missing(pki: PKI, method: str, status: int, reason: str, said: str) -> None:
    """At once, in one line."""
    cluster = Cluster()
    async with serving(pki) as stub:
        stub.on("GET", PATH, cluster.get)
        stub.on("PATCH", PATH, cluster.patch)
        stub.on(method, PATH, refuses(status, reason, "no"))
        async with client_of(pki, stub.address) as opened:
            wait = Waiting(opened, "prod", lambda i, n: judge_key(i, OLD, n), timedelta(minutes=5), print, asks=True)
            with pytest.raises(NoAnswerError, match=said) as raised:
                await asyncio.wait_for(wait.verdict(), 5)
    assert "\n" not in raised.value.message


async def test_a_cluster_without_the_crd_is_told_apart(pki: PKI) -> None:
    """A bare 404 speaks of no object."""
    async with serving(pki) as stub, client_of(pki, stub.address) as opened:
        wait = Waiting(opened, "prod", judge_ready, timedelta(minutes=5), print, asks=False)
        with pytest.raises(NoAnswerError, match="CustomResourceDefinition is not installed"):
            await wait.verdict()


async def test_ready_needs_no_question(pki: PKI) -> None:
    """The right to read is enough."""
    cluster = Cluster()
    async with client(pki, cluster) as opened:
        wait = Waiting(opened, "prod", lambda i, _: judge_ready(i, NOW), timedelta(seconds=5), print, asks=False)
        assert (await wait.verdict()).answer is VerdictKind.YES
    assert cluster.asked == 0
