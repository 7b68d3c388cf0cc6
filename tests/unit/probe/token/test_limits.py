"""When API servers are asked what they grant beyond the policy, and what is remembered; what they answer is tested live."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from oidc_publisher.cluster import TokenReview
from oidc_publisher.errors import AnswerError, UnreachableError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.probe.token import limits as tokenlimits
from oidc_publisher.probe.token.limits import LOOK_BAD_S, LOOK_GOOD_S, NOBODY, TokenLimits
from oidc_publisher.probe.token.mint import FreshToken

ONE, TWO = "10.0.0.1:6443", "10.0.0.2:6443"
STS = "sts.amazonaws.com"
BEYOND = Finding.of(Reason.TokenOutlivesPolicy, "granted", subject=ONE)


@dataclass
class APIServers:
    """Counts what is asked; what it grants is said by `granted`, what it refuses by `refusal`."""

    granted: Finding | None = None
    shared: set[str] = field(default_factory=set)
    refusal: Exception | None = None
    asked: Counter[str] = field(default_factory=Counter)
    last: dict[str, Any] = field(default_factory=dict)

    async def mint(self, _client: object, endpoint: str, **wanted: Any) -> str:
        """Mint, or refuse."""
        self.asked[endpoint] += 1
        self.last = wanted
        if self.refusal is not None:
            raise self.refusal
        return "token"

    async def review(self, _client: object, _endpoint: str, token: str, audiences: tuple[str, ...]) -> TokenReview:
        """Review for the audiences of the API server."""
        assert audiences == ()
        return TokenReview(authenticated=token in self.shared)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> APIServers:
    """API servers that grant nothing out of order."""
    made = APIServers()
    monkeypatch.setattr(tokenlimits, "mint_token", made.mint)
    monkeypatch.setattr(tokenlimits, "review_token", made.review)
    monkeypatch.setattr(tokenlimits, "judge_lifetime", lambda *_, **__: made.granted)
    return made


def limits(policy: timedelta = timedelta(hours=24)) -> TokenLimits:
    """The memory of a new process."""
    return TokenLimits(("default", "probe"), policy)


async def look(memory: TokenLimits, now_s: float, *endpoints: str) -> tuple[Finding, ...]:
    """One pass that has minted a token of each endpoint; the token is called after its audience."""
    tokens = [FreshToken(endpoint, STS, STS) for endpoint in endpoints or (ONE,)]
    return await memory.look(None, tokens, now_s)  # type: ignore[arg-type]


async def test_who_grants_nothing_more_is_asked_once_an_hour(servers: APIServers) -> None:
    """Each API server by itself; the first pass asks at once, whatever the clock says."""
    memory = limits()
    for now_s in range(0, 4 * 3600, 60):
        assert await look(memory, float(now_s), ONE, TWO) == ()
    assert servers.asked == {ONE: 4, TWO: 4}
    assert LOOK_GOOD_S == 3600


async def test_who_does_is_asked_every_minute_until_it_is_mended(servers: APIServers) -> None:
    """And the finding stays in between, for it is still so."""
    servers.granted = BEYOND
    memory = limits()
    seen = [await look(memory, float(now_s)) for now_s in range(0, 300, 10)]
    assert set(seen) == {(BEYOND,)}
    assert servers.asked == {ONE: 5}
    servers.granted = None
    assert await look(memory, 290 + LOOK_BAD_S) == ()


@pytest.mark.parametrize(
    ("policy", "asked_s"),
    [
        (timedelta(hours=24), 86_460),
        (timedelta(seconds=10), 600),
        (timedelta(seconds=540), 600),
        (timedelta(seconds=541), 601),
        (timedelta(seconds=2**33), 2**32),
    ],
)
async def test_what_is_asked_for(servers: APIServers, policy: timedelta, asked_s: int) -> None:
    """A minute more than the policy, within what the API takes, for an audience that nobody trusts."""
    await look(limits(policy), 0.0)
    assert servers.last == {"namespace": "default", "name": "probe", "audience": NOBODY, "lifetime_s": asked_s}


async def test_an_audience_of_its_own_is_named(servers: APIServers) -> None:
    """The token of the proof is accepted by a review that names no audience."""
    servers.shared = {STS}
    (finding,) = await look(limits(), 0.0)
    assert (finding.reason, finding.subject) == (Reason.AudienceShared, ONE)
    assert finding.message.startswith(f'{ONE} accepts tokens for "{STS}" as tokens for itself')


async def test_who_cannot_be_asked_keeps_what_was_seen(servers: APIServers) -> None:
    """Away is not mended; the next pass asks again."""
    servers.granted = BEYOND
    memory = limits()
    await look(memory, 0.0)
    servers.refusal = UnreachableError(Reason.APIServerUnreachable, "away")
    for now_s in (100.0, 101.0):
        assert await look(memory, now_s) == (BEYOND,)
    assert servers.asked == {ONE: 3}


async def test_a_refusal_is_no_grant(servers: APIServers) -> None:
    """An admission policy that caps lifetimes does what is wanted; a server that is busy says nothing."""
    servers.granted = BEYOND
    servers.refusal = AnswerError(Reason.TokenRequestFailed, "denied", status=422)
    memory = limits()
    assert [await look(memory, now_s) for now_s in (0.0, 1.0)] == [(), ()]
    assert servers.asked == {ONE: 1}
    servers.refusal = AnswerError(Reason.TokenRequestFailed, "busy", status=429, retryable=True)
    memory = limits()
    assert [await look(memory, now_s) for now_s in (0.0, 1.0)] == [(), ()]
    assert servers.asked == {ONE: 3}


async def test_who_is_gone_is_forgotten(servers: APIServers) -> None:
    """Nothing is said of an API server that mints no more."""
    servers.granted = BEYOND
    memory = limits()
    assert len(await look(memory, 0.0, ONE, TWO)) == 2
    servers.granted = None
    assert await look(memory, 1.0, TWO) == (BEYOND,)
    assert await look(memory, 2.0, ONE, TWO) == (BEYOND,), "ONE came back and was asked anew"
    assert servers.asked == {ONE: 2, TWO: 1}


async def test_without_an_account_nothing_is_minted(servers: APIServers) -> None:
    """So `plan` looks: the tokens that it has are reviewed, and none that outlives the policy comes into the world."""
    servers.granted, servers.shared = BEYOND, {STS}
    (finding,) = await look(TokenLimits(None, timedelta(hours=24)), 0.0, ONE)
    assert finding.reason is Reason.AudienceShared
    assert not servers.asked
