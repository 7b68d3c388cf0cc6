"""Which API servers are asked whether they accept what another one signs, and what is said of those that do not."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

import pytest

from oidc_publisher.cluster import TokenReview
from oidc_publisher.errors import UnreachableError
from oidc_publisher.findings import ConditionType, Finding, Reason
from oidc_publisher.probe.token import peers
from oidc_publisher.probe.token.mint import FreshToken
from oidc_publisher.probe.token.peers import MAX_REVIEWS, review_by_peers

A, B, C = "10.0.0.1:6443", "10.0.0.2:6443", "10.0.0.3:6443"


def token(endpoint: str, key_id: str, audience: str = "aws") -> FreshToken:
    """A token of that API server; nobody here looks at its signature."""
    parts = ({"alg": "RS256", "kid": key_id}, {"iss": "https://oidc.example.com", "aud": [audience]})
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return FreshToken(endpoint, audience, f"{text}.AA")


@dataclass
class APIServers:
    """Accepts what nobody `refuses`; notes who was asked for which token."""

    refuses: set[tuple[str, str]] = field(default_factory=set)
    down: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def review(self, _client: object, endpoint: str, text: str, audiences: tuple[str, ...]) -> TokenReview:
        """Review one token for its audience."""
        assert audiences == ("aws",)
        head = text.partition(".")[0]
        key_id = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
        self.asked.append((endpoint, key_id))
        if endpoint in self.down:
            raise UnreachableError(Reason.APIServerUnreachable, f"{endpoint} is away")
        refused = (endpoint, key_id) in self.refuses
        return TokenReview(authenticated=not refused, error="invalid bearer token" if refused else "")


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> APIServers:
    """API servers that accept each other's tokens."""
    made = APIServers()
    monkeypatch.setattr(peers, "review_token", made.review)
    return made


async def review(tokens: list[FreshToken], *endpoints: str) -> tuple[Finding, ...]:
    """One pass over these API servers."""
    return await review_by_peers(None, tokens, endpoints)  # type: ignore[arg-type]


async def test_a_cluster_that_signs_with_one_key_costs_nothing(servers: APIServers) -> None:
    """Each has reviewed a token of that key already: its own."""
    assert await review([token(A, "K1"), token(B, "K1"), token(A, "K1", "gcp")], A, B) == ()
    assert servers.asked == []


async def test_every_other_server_reviews_one_token_of_each_key(servers: APIServers) -> None:
    """Whatever the number of audiences, and one that mints nothing is asked all the same."""
    assert await review([token(A, "K1"), token(A, "K1", "gcp"), token(B, "K2")], A, B, C) == ()
    assert sorted(servers.asked) == [(A, "K2"), (B, "K1"), (C, "K1"), (C, "K2")]


async def test_who_refuses_is_named_with_who_minted(servers: APIServers) -> None:
    """The finding is critical and only a person can mend it."""
    servers.refuses = {(B, "K1")}
    (finding,) = await review([token(A, "K1"), token(B, "K2")], A, B)
    assert (finding.reason, finding.subject) == (Reason.TokenRejectedByPeer, B)
    assert finding.message == f'{B} refuses the token that {A} has just minted with key "K1" ("invalid bearer token").'
    assert (finding.condition, finding.stalled) == (ConditionType.TOKEN_ACCEPTED, True)


async def test_one_that_cannot_be_asked_is_named_once(servers: APIServers) -> None:
    """One that minted must answer; why another one mints nothing is known already."""
    servers.down = {B, C}
    (finding,) = await review([token(A, "K1"), token(B, "K2")], A, B, C)
    assert (finding.reason, finding.subject) == (Reason.APIServerUnreachable, B)


async def test_the_number_of_reviews_is_bounded(servers: APIServers) -> None:
    """A spec may name hundreds of API servers, each with a key of its own."""
    many = [f"10.0.{number}.1:6443" for number in range(40)]
    await review([token(endpoint, endpoint) for endpoint in many], *many)
    assert len(servers.asked) == MAX_REVIEWS


async def test_what_is_no_token_is_left_to_the_proof(servers: APIServers) -> None:
    """It names no key."""
    assert await review([FreshToken(A, "aws", "garbage"), token(B, "K2")], A, B) == ()
    assert servers.asked == [(A, "K2")]
