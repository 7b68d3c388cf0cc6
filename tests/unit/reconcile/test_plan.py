"""What is stored as the rules take it, and whose it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from oidc_publisher.documents import OwnerMark
from oidc_publisher.reconcile.plan import documents_for, policy_of
from oidc_publisher.rotation import Ledger, LedgerKey
from tests.support.builders import issuer_of, public_key

KEY = public_key()
OURS, OTHERS = "uid/prod", "uid-2/prod"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_mark_carries_the_longest_times_of_the_published_keys() -> None:
    """R9: what a rebuilt ledger needs."""
    other = public_key("other")
    ledger = Ledger(keys=(LedgerKey(KEY, 1, NOW, HOUR, 3 * HOUR), LedgerKey(other, 2, NOW, 2 * HOUR, HOUR)), serial=4)
    planned = documents_for(issuer_of().spec, ledger, (other, KEY), owner=OURS)
    assert OwnerMark.read(planned.jwks.metadata) == OwnerMark(OURS, 4, 2 * HOUR, 3 * HOUR)


def test_the_policy_is_the_specs() -> None:
    """Durations and withdrawn keys reach the rules as they stand."""
    rotation = {"prePublishPeriod": "5s", "maxTokenLifetime": "10s", "clockSkew": "1s", "withdrawnKeyIDs": ["x"]}
    policy = policy_of(issuer_of(rotation=rotation, cacheMaxAge="2s").spec)
    assert policy.pre_publish_period == timedelta(seconds=5)
    assert policy.max_token_lifetime == timedelta(seconds=10)
    assert policy.clock_skew == timedelta(seconds=1)
    assert policy.cache_max_age == timedelta(seconds=2)
    assert policy.withdrawn_key_ids == {"x"}
