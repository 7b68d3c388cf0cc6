"""Whether API servers grant what rotation does not count on.

Two things an API server's flags allow, and no token of the proof shows: tokens that live longer than
`rotation.maxTokenLifetime`, which outlive their key, and audiences of relying parties that are its own as well, for which
the token of every pod is good. Flags change with a restart, so it is asked rarely: every hour, and every minute where
something is wrong, for somebody may be mending it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from oidc_publisher.cluster import ClusterAPI, mint_token, review_token
from oidc_publisher.errors import AnswerError, PublisherError
from oidc_publisher.findings import Finding
from oidc_publisher.probe import judge_lifetime, judge_own_audience
from oidc_publisher.probe.token.mint import TOKEN_LIFETIME, FreshToken

LOOK_GOOD_S: Final = 3600.0
LOOK_BAD_S: Final = 60.0
#: Whom nobody trusts: the token is good for nothing, whoever should get hold of it.
NOBODY: Final = "nobody.oidc-publisher.io"
#: A little more than the policy shows as much as a hundred years would, and leaves no such token in the world.
_BEYOND: Final = timedelta(minutes=1)
#: TokenRequest takes no more.
_LONGEST: Final = timedelta(seconds=2**32)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one API server granted, and when it is to be asked again (monotonic seconds)."""

    findings: tuple[Finding, ...]
    again_at: float


class TokenLimits:
    """What each API server was last seen to grant beyond the policy; remembered for as long as the spec stays.

    `account` is the (namespace, name) of the ServiceAccount to mint for. With None no token is minted, and of what API
    servers grant only the audiences of the proof's own tokens are looked at.
    """

    def __init__(self, account: tuple[str, str] | None, max_token_lifetime: timedelta) -> None:
        self._account = account
        self._policy = max_token_lifetime
        self._asked = min(max(max_token_lifetime + _BEYOND, TOKEN_LIFETIME), _LONGEST)
        self._looks: dict[str, _Look] = {}

    async def look(self, client: ClusterAPI, tokens: Sequence[FreshToken], now_s: float) -> tuple[Finding, ...]:
        """The findings about every API server that has minted one of `tokens`, asking those whose time has come.

        One that cannot be asked keeps what was last seen of it, and is asked again by the next pass.
        """
        present: dict[str, list[FreshToken]] = {}
        for token in tokens:
            present.setdefault(token.endpoint, []).append(token)
        self._looks = {endpoint: look for endpoint, look in self._looks.items() if endpoint in present}
        due = [endpoint for endpoint in present if self._is_due(endpoint, now_s)]
        found = await asyncio.gather(*(self._ask(client, endpoint, present[endpoint]) for endpoint in due))
        for endpoint, findings in zip(due, found, strict=True):
            if findings is not None:
                self._looks[endpoint] = _Look(findings, now_s + (LOOK_BAD_S if findings else LOOK_GOOD_S))
        return tuple(finding for endpoint in sorted(self._looks) for finding in self._looks[endpoint].findings)

    def _is_due(self, endpoint: str, now_s: float) -> bool:
        known = self._looks.get(endpoint)
        return known is None or now_s >= known.again_at

    async def _ask(self, client: ClusterAPI, endpoint: str, tokens: Sequence[FreshToken]) -> tuple[Finding, ...] | None:
        try:
            found = await asyncio.gather(
                self._lifetime(client, endpoint), *(_own_audience(client, token) for token in tokens)
            )
        except PublisherError:
            return None  # the proof asks the same of it, and says what is wrong
        return tuple(finding for finding in found if finding is not None)

    async def _lifetime(self, client: ClusterAPI, endpoint: str) -> Finding | None:
        if self._account is None:
            return None
        namespace, name = self._account
        seconds = int(self._asked.total_seconds())
        try:
            token = await mint_token(
                client, endpoint, namespace=namespace, name=name, audience=NOBODY, lifetime_s=seconds
            )
        except AnswerError as error:
            if error.retryable:
                raise
            return None  # refused, by an admission policy perhaps: such a token is not granted
        return judge_lifetime(token, endpoint=endpoint, max_token_lifetime=self._policy)


async def _own_audience(client: ClusterAPI, fresh: FreshToken) -> Finding | None:
    # A review that names no audience asks for the API server's own ones.
    review = await review_token(client, fresh.endpoint, fresh.token, ())
    return judge_own_audience(fresh.endpoint, fresh.audience) if review.authenticated else None
