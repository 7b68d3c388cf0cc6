"""Step four, prove, judges what the public URL shows, and verifies a fresh token of every API server against those bytes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from oidc_publisher.cluster import review_token
from oidc_publisher.documents import jwks_uri
from oidc_publisher.errors import PublisherError
from oidc_publisher.findings import Finding, Severity
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe import Expected, Judgement, judge, judge_review, judge_token
from oidc_publisher.probe.token.mint import FreshToken
from oidc_publisher.probe.token.peers import review_by_peers
from oidc_publisher.reconcile.ports import Ports
from oidc_publisher.reconcile.read import Readings
from oidc_publisher.rotation import Advance
from oidc_publisher.timing.clock import Clock


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof holds the results of the look and of the tokens; `accepted` are the API servers whose tokens passed every check."""

    judgement: Judgement
    token_findings: tuple[Finding, ...]
    accepted: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the look, then those of the tokens."""
        return (*self.judgement.findings, *self.token_findings)


async def prove(
    ports: Ports,
    readings: Readings,
    plan: Advance,
    *,
    last_change: datetime | None,
    removed: frozenset[str],
    clock: Clock,
) -> Proof:
    """Judge the look, and verify every fresh token against the served key set and by a review of each API server.

    Now and then each API server is asked for a token beyond the policy, so that one that grants such tokens is found.

    `removed` are the IDs of keys that left a short while ago. A copy that still holds such a key is an old copy and not a
    stranger's key set.
    """
    now = clock.now()
    former = removed | {entry.key_id for entry in plan.ledger.keys}
    propagating = _propagating(ports, plan, last_change, now)
    judgement = judge(readings.look, _expected(ports, plan, former, propagating=propagating))
    limits, peers, *checks = await asyncio.gather(
        ports.limits.look(ports.cluster, readings.tokens, clock.monotonic()),
        review_by_peers(ports.cluster, readings.tokens, readings.endpoints or ()),
        *(_check(ports, token, judgement.jwks, now) for token in readings.tokens),
    )
    found: dict[str, list[Finding]] = defaultdict(list)
    for token, findings in zip(readings.tokens, checks, strict=True):
        found[token.endpoint].extend(findings)
    token_findings = tuple(dict.fromkeys(finding for findings in (*checks, peers, limits) for finding in findings))
    accepted = tuple(e for e, findings in found.items() if not any(map(_prevents, findings)))
    if judgement.jwks is None:
        accepted = ()
    return Proof(judgement, token_findings, accepted)


def _prevents(finding: Finding) -> bool:
    return finding.unknown or finding.severity is Severity.CRITICAL


def _in_place(plan: Advance) -> tuple[PublicKey, ...]:
    """Return the keys that readers should find.

    A key that could not be written yet is not among them, and a key that could not be removed yet still is.
    """
    planned = frozenset(plan.publish)
    entries = (e for e in plan.ledger.keys if e.leaving or (e.published_time is not None and e.key in planned))
    return tuple(entry.key for entry in entries)


def _expected(ports: Ports, plan: Advance, former: frozenset[str], *, propagating: bool) -> Expected:
    spec, keys = ports.spec, _in_place(plan)
    return Expected(
        issuer_url=spec.issuer_url,
        jwks_uri=jwks_uri(spec.issuer_url, spec.jwks_path),
        keys=keys or None,
        algorithms=frozenset({"RS256", "ES256", *(key.algorithm for key in keys)}),
        cache_max_age=spec.cache_max_age,
        relying_parties=spec.probe.relying_parties,
        former_key_ids=former,
        propagating=propagating,
    )


def _propagating(ports: Ports, plan: Advance, last_change: datetime | None, now: datetime) -> bool:
    """Tell whether the last write is younger than the longest cache age, so that a cache may still serve an older copy."""
    return last_change is not None and now < last_change + longest_cache_age(ports, plan)


def longest_cache_age(ports: Ports, plan: Advance) -> timedelta:
    """Return the longest time for which a cache may keep a key set that was served of late."""
    return max((c.age for c in plan.ledger.cache_ages), default=ports.spec.cache_max_age)


async def _check(ports: Ports, fresh: FreshToken, jwks: bytes | None, now: datetime) -> tuple[Finding, ...]:
    spec = ports.spec
    judged = judge_token(
        fresh.token,
        endpoint=fresh.endpoint,
        fetched_jwks=jwks,
        issuer_url=spec.issuer_url,
        audience=fresh.audience,
        now=now,
        clock_skew=spec.rotation.clock_skew,
        facts=fresh.facts,
    )
    try:
        review = await review_token(ports.cluster, fresh.endpoint, fresh.token, (fresh.audience,))
    except PublisherError as error:
        return (*judged, error.finding(subject=fresh.endpoint))
    rejected = judge_review(fresh.endpoint, authenticated=review.authenticated, error=review.error)
    return (*judged, rejected) if rejected else judged
