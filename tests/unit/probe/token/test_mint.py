"""Which tokens are minted for the proof, and what becomes of an API server that mints none."""

from __future__ import annotations

from typing import Any

import pytest

from oidc_publisher.errors import UnreachableError
from oidc_publisher.findings import Reason
from oidc_publisher.probe.token import mint as minting
from oidc_publisher.probe.token.mint import FreshToken, mint_all

ONE, TWO = "10.0.0.1:6443", "10.0.0.2:6443"
AUDIENCES = ("sts.amazonaws.com", "api://AzureADTokenExchange")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """API servers of which TWO is away; whom was asked for which audience, and for how many seconds."""
    seen: list[tuple[str, str, int]] = []

    async def mint(_client: object, endpoint: str, *, audience: str, lifetime_s: int, **account: Any) -> str:
        assert account == {"namespace": "default", "name": "probe"}
        seen.append((endpoint, audience, lifetime_s))
        if endpoint == TWO:
            raise UnreachableError(Reason.APIServerUnreachable, f"{TWO} does not answer")
        return f"{endpoint} {audience}"

    monkeypatch.setattr(minting, "mint_token", mint)
    return seen


async def test_each_audience_has_a_token_of_each_api_server(asked: list[tuple[str, str, int]]) -> None:
    """One for ten minutes, never one for several audiences; who is away is one finding, and holds up nobody."""
    tokens, findings = await mint_all(None, ("default", "probe"), AUDIENCES, (ONE, TWO))  # type: ignore[arg-type]
    assert tokens == tuple(FreshToken(ONE, audience, f"{ONE} {audience}") for audience in AUDIENCES)
    assert asked == [(endpoint, audience, 600) for endpoint in (ONE, TWO) for audience in AUDIENCES]
    assert [(f.reason, f.subject) for f in findings] == [(Reason.APIServerUnreachable, TWO)]


async def test_without_an_account_nothing_is_minted_and_that_is_said(asked: list[tuple[str, str, int]]) -> None:
    """Unless there is no API server to ask."""
    _, findings = await mint_all(None, None, AUDIENCES, (ONE,))  # type: ignore[arg-type]
    assert [f.reason for f in findings] == [Reason.TokenRequestFailed]
    assert await mint_all(None, None, AUDIENCES, ()) == ((), ())  # type: ignore[arg-type]
    assert asked == []
