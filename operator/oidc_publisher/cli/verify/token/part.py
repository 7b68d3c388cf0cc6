"""Explain a token, check it against what the issuer serves, and say what relying parties would answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from oidc_publisher.api import format_time
from oidc_publisher.cli.text.times import away
from oidc_publisher.cli.verify.token.checks import (
    audience_checks,
    claim_checks,
    form_checks,
    issuer_checks,
    key_checks,
    trust_checks,
)
from oidc_publisher.cli.verify.token.validity import moment, time_checks
from oidc_publisher.cli.verify.token.words import party_words
from oidc_publisher.cli.verify.token.world import GivenToken, World
from oidc_publisher.cli.verify.verification import TokenPart
from oidc_publisher.probe import read_token, token_parts
from oidc_publisher.probe.text import shown
from oidc_publisher.relyingparties.roletrust import Presented, judge_role_trust

#: The claims whose values are shown; of others only the name is, because a value may be confidential.
_KNOWN = ("iss", "sub", "aud", "azp", "exp", "nbf", "iat")
_TIMES = ("exp", "nbf", "iat")


def token_part(given: GivenToken, world: World) -> TokenPart:
    """Return the token explained and checked.

    Raises:
        NoRoleTrustError: the role trust is no document that says what a role trusts.
    """
    header, claims = token_parts(given.token)
    facts = read_token(given.token)
    trust = (
        judge_role_trust(given.role_trust, Presented(world.issuer_url, claims))
        if given.role_trust is not None
        else None
    )
    checked = [
        *form_checks(given.token, header),
        *issuer_checks(facts, world),
        *key_checks(given.token, facts, world.judgement),
        *claim_checks(claims),
        *time_checks(facts, claims, world),
        *audience_checks(facts, given.audiences),
        *trust_checks(trust),
    ]
    causes = frozenset(cause for _, cause in checked if cause)
    return TokenPart(
        header={name: shown(str(header[name])) for name in ("alg", "kid", "typ") if name in header},
        claims=dict(_explained(claims, world.now)),
        other_claims=tuple(
            sorted(shown(name)[1:-1] for name in claims if name not in _KNOWN and name != "kubernetes.io")
        ),
        checks=tuple(check for check, _ in checked),
        parties=tuple(party_words(party, causes, trust, facts, claims, world) for party in world.parties),
    )


def _explained(claims: Mapping[str, Any], now: datetime) -> Iterator[tuple[str, str]]:
    for name in _KNOWN:
        if name in claims:
            yield name, _time(claims[name], now) if name in _TIMES else _text(claims[name])
    bound = claims.get("kubernetes.io")
    if isinstance(bound, dict):
        for kind in ("namespace", "serviceaccount", "pod", "node"):
            value = bound.get(kind)
            value = value.get("name") if isinstance(value, dict) else value
            if isinstance(value, str):
                yield f"kubernetes.io {kind}", shown(value)


def _text(value: object) -> str:
    return ", ".join(shown(str(one)) for one in value) if isinstance(value, list) else shown(str(value))


def _time(value: object, now: datetime) -> str:
    time = moment(value)
    return "no time" if time is None else f"{format_time(time)} ({away(time, now)})"
