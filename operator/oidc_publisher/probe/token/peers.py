"""Check that every API server accepts the tokens that the other API servers sign (R15).

In the proof each API server reviews its own tokens only. A key that one API server signs with and another one does not
know shows only in a review by that other one, which refuses every pod with such a token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from oidc_publisher.cluster import ClusterAPI, review_token
from oidc_publisher.errors import PublisherError
from oidc_publisher.findings import Finding
from oidc_publisher.probe import judge_peer_review
from oidc_publisher.probe.token.mint import FreshToken

_AT_ONCE = 8
#: Enough for sixteen API servers that each sign with another key. A spec that names more API servers costs no more.
MAX_REVIEWS = 16 * 15


async def review_by_peers(
    client: ClusterAPI, tokens: Sequence[FreshToken], endpoints: Iterable[str]
) -> tuple[Finding, ...]:
    """Let every present API server review one token of each key that only other API servers sign with."""
    gate = asyncio.Semaphore(_AT_ONCE)
    minting = {token.endpoint for token in tokens}

    async def review(key_id: str, fresh: FreshToken, peer: str) -> Finding | None:
        try:
            async with gate:
                answer = await review_token(client, peer, fresh.token, (fresh.audience,))
        except PublisherError as error:
            # An API server that mints no token has a finding about that already.
            return error.finding(subject=peer) if peer in minting else None
        return judge_peer_review(peer, fresh.endpoint, key_id, authenticated=answer.authenticated, error=answer.error)

    wanted = tuple(_wanted(tokens, sorted(endpoints)))[:MAX_REVIEWS]
    found = await asyncio.gather(*(review(*each) for each in wanted))
    return tuple(dict.fromkeys(finding for finding in found if finding is not None))


def _wanted(tokens: Sequence[FreshToken], endpoints: Sequence[str]) -> Iterator[tuple[str, FreshToken, str]]:
    """Return the reviews to ask for: none where all sign with one key, since each has reviewed its own tokens."""
    of_key: dict[str, FreshToken] = {}
    signing: set[tuple[str, str]] = set()
    for fresh in sorted(tokens, key=lambda token: (token.endpoint, token.audience)):
        key_id = fresh.facts.key_id if fresh.facts else None
        if key_id is not None:
            of_key.setdefault(key_id, fresh)
            signing.add((fresh.endpoint, key_id))
    for key_id, fresh in of_key.items():
        for peer in endpoints:
            if (peer, key_id) not in signing:
                yield key_id, fresh, peer
