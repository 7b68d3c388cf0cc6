"""Mint fresh tokens through every API server. The proof of the issuer verifies them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from oidc_publisher.cluster import ClusterAPI, mint_token
from oidc_publisher.errors import ClusterError, PublisherError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.probe.token.judge import TokenFacts, read_token

#: The shortest lifetime that TokenRequest grants.
TOKEN_LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class FreshToken:
    """A fresh token is one that one API server (HOST:PORT) has just minted for one audience.

    `facts` are its unverified header and claims, None where it is no JWT.
    """

    endpoint: str
    audience: str
    token: str
    facts: TokenFacts | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the facts once, because several steps of a pass need them."""
        object.__setattr__(self, "facts", _facts_of(self.token))


async def mint_all(
    client: ClusterAPI, account: tuple[str, str] | None, audiences: Sequence[str], endpoints: Sequence[str]
) -> tuple[tuple[FreshToken, ...], tuple[Finding, ...]]:
    """Mint one token for each audience through each API server; return the tokens and the findings about failures.

    `account` is the ServiceAccount (namespace, name). No token has several audiences.
    """
    if not endpoints:
        return (), ()
    if account is None:
        message = "No token can be minted: the operator was started without --probe-service-account"
        hint = "Start it with --probe-service-account NAMESPACE/NAME of an existing ServiceAccount."
        return (), (Finding.of(Reason.TokenRequestFailed, message, hint=hint),)
    wanted = [(endpoint, audience) for endpoint in endpoints for audience in audiences]
    minted = await asyncio.gather(*(_mint(client, account, *each) for each in wanted))
    tokens = tuple(each for each in minted if isinstance(each, FreshToken))
    return tokens, tuple(dict.fromkeys(each for each in minted if isinstance(each, Finding)))


async def _mint(client: ClusterAPI, account: tuple[str, str], endpoint: str, audience: str) -> FreshToken | Finding:
    namespace, name = account
    lifetime_s = int(TOKEN_LIFETIME.total_seconds())
    try:
        token = await mint_token(
            client, endpoint, namespace=namespace, name=name, audience=audience, lifetime_s=lifetime_s
        )
    except PublisherError as error:
        return error.finding(subject=endpoint)
    return FreshToken(endpoint, audience, token)


def _facts_of(token: str) -> TokenFacts | None:
    try:
        return read_token(token)
    except ClusterError:
        return None  # the proof reports it
