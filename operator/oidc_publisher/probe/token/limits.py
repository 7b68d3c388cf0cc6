"""Find what API servers grant beyond the limits that rotation counts on.

An API server's flags can allow two things that no token of the proof shows. Tokens may live longer than
`rotation.maxTokenLifetime`, and so outlive their key. An audience of relying parties may be among the API server's own
audiences, and the token of every pod is then valid for it. Flags change only with a restart, so each API server is
asked once an hour, and once a minute while it has a finding, because somebody may be correcting it.
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
#: An audience that no relying party accepts, so that a leaked token is worthless.
NOBODY: Final = "nobody.oidc-publisher.io"
#: One minute beyond the policy proves as much as a hundred years, and creates no token of a hundred years.
_BEYOND: Final = timedelta(minutes=1)
#: The longest lifetime that TokenRequest accepts.
_LONGEST: Final = timedelta(seconds=2**32)


@dataclass(frozen=True, slots=True)
class _Look:
    """One check holds the findings about one API server, and when to ask it again (monotonic seconds)."""

    findings: tuple[Finding, ...]
    again_at: float


class TokenLimits:
    """TokenLimits remembers what each API server last granted beyond the policy, for as long as the spec is unchanged.

    `account` is the (namespace, name) of the ServiceAccount to mint for. With None no token is minted, and only the
    audiences of the proof's own tokens are checked.
    """

    def __init__(self, account: tuple[str, str] | None, max_token_lifetime: timedelta) -> None:
        self._account = account
        self._policy = max_token_lifetime
        self._asked = min(max(max_token_lifetime + _BEYOND, TOKEN_LIFETIME), _LONGEST)
        self._looks: dict[str, _Look] = {}

    async def look(self, client: ClusterAPI, tokens: Sequence[FreshToken], now_s: float) -> tuple[Finding, ...]:
        """Return the findings about every API server that minted one of `tokens`, after asking those that are due.

        An API server that cannot be asked keeps its last findings, and the next pass asks it again.
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
            return None  # the proof sends the same requests to this API server, and reports the failure
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
            return None  # refused, for example by an admission policy: such a token is not granted
        return judge_lifetime(token, endpoint=endpoint, max_token_lifetime=self._policy)


async def _own_audience(client: ClusterAPI, fresh: FreshToken) -> Finding | None:
    # A TokenReview without audiences checks the token against the API server's own audiences.
    review = await review_token(client, fresh.endpoint, fresh.token, ())
    return judge_own_audience(fresh.endpoint, fresh.audience) if review.authenticated else None
