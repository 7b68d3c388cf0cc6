"""The ledger in the status: a round trip loses nothing that a rule decides by."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.api import OIDCIssuerStatus, StatusPublication, read_status, to_status_json
from oidc_publisher.keys import PublicKey
from oidc_publisher.reconcile.status.ledger import keys_of, ledger_of, read_ledger
from oidc_publisher.rotation import CacheAge, Endpoint, Ledger, LedgerKey, Origin
from tests.support.builders import public_key

KEYS = [public_key(name) for name in "abcd"]

times = st.integers(1_600_000_000, 2_200_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))
durations = st.integers(0, 400 * 86400).map(lambda s: timedelta(seconds=s))
maybe = st.none() | times
texts = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=20)
origins = st.builds(Origin, source=texts, entry=st.none() | texts)
flags = st.booleans()


def entries(key: PublicKey) -> st.SearchStrategy[LedgerKey]:
    """Any entry of one key; safe is only one that every cache knows (R15)."""
    made = st.builds(
        LedgerKey,
        key=st.just(key),
        version=st.integers(0, 10**28),
        first_seen_time=times,
        token_lifetime=durations,
        stale_age=durations,
        version_named=flags,
        origins=st.lists(origins, max_size=3, unique=True).map(tuple),
        founding=flags,
        baseline=flags,
        signed_before_safe=flags,
        material_changed=flags,
        known_to_caches=flags,
        unlisted_by=st.lists(texts, max_size=2).map(tuple),
        published_time=maybe,
        rebuilt_time=maybe,
        served_since_time=maybe,
        safe_to_sign_time=maybe,
        safe_since_time=maybe,
        first_signed_time=maybe,
        unused_since_time=maybe,
        retire_time=maybe,
        leaving=flags,
        last_listed_time=maybe,
        last_signed_time=maybe,
    )
    return made.map(lambda e: replace(e, known_to_caches=e.known_to_caches or e.safe_since_time is not None))


ledgers = st.builds(
    Ledger,
    keys=st.tuples(*(entries(key) for key in KEYS)).flatmap(lambda made: st.sampled_from([made[:n] for n in range(5)])),
    serial=st.integers(0, 10**9),
    jwks_digest=st.sampled_from(["", "sha256:aa"]),
    next_version=st.integers(1, 10**28),
    cache_ages=st.lists(st.builds(CacheAge, age=durations, until_time=times), max_size=3).map(tuple),
    endpoints=st.lists(st.builds(Endpoint, address=texts, key_id=texts, gone_since_time=maybe), max_size=3).map(tuple),
    last_complete_pass_time=maybe,
    adopted_time=maybe,
    nonces=st.lists(texts, max_size=3, unique=True).map(tuple),
    unknown_writer_time=maybe,
    second_writer_time=maybe,
    cache_ages_forgotten_time=maybe,
)


def through_the_api(ledger: Ledger) -> Ledger:
    """The ledger after the API server has stored it as JSON."""
    status = OIDCIssuerStatus(
        keys=keys_of(ledger),
        ledger=ledger_of(ledger),
        publication=StatusPublication(serial=ledger.serial, jwks_digest=ledger.jwks_digest),
    )
    reading = read_status({"status": to_status_json(status)})
    assert reading.dropped == ()
    return read_ledger(reading.status).ledger


@given(ledgers)
def test_a_round_trip_through_the_status_loses_nothing(ledger: Ledger) -> None:
    """Every field of the ledger comes back as it was."""
    assert through_the_api(ledger) == ledger


def test_a_key_that_an_earlier_version_called_safe_has_waited() -> None:
    """It wrote the permission alone; a key whose permission an API server takes away does not wait again (R15)."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    safe = LedgerKey(KEYS[0], 1, now, timedelta(0), timedelta(0), known_to_caches=True, safe_since_time=now)
    (known,) = keys_of(Ledger(keys=(safe,)))
    before = known.model_copy(update={"known_to_caches": None})
    assert read_ledger(OIDCIssuerStatus(keys=(before,), publication=StatusPublication(serial=1))).ledger.keys == (safe,)


def test_an_empty_status_is_an_empty_ledger() -> None:
    """A new object, or one whose status was lost."""
    assert read_ledger(OIDCIssuerStatus()).ledger == Ledger()


def test_an_entry_without_usable_material_is_left_out_alone() -> None:
    """The store still has the key, from where R9 brings it back."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ledger = Ledger(keys=tuple(LedgerKey(k, 1, now, timedelta(0), timedelta(0)) for k in KEYS[:2]))
    good, bad = keys_of(ledger)
    publication = StatusPublication(serial=7)
    damaged = bad.model_copy(update={"public_key": "garbage"})
    status = OIDCIssuerStatus(keys=(good, damaged), publication=publication)
    assert [entry.key for entry in read_ledger(status).ledger.keys] == [KEYS[0]]
    assert read_ledger(status).ledger.serial == 0
    assert read_ledger(status).damaged == ("keys[1]",)
    assert read_ledger(status.model_copy(update={"keys": (good, bad)})).ledger.serial == 7


@pytest.mark.parametrize("member", ["token_lifetime", "stale_age", "first_seen_time"])
def test_an_entry_that_lacks_what_every_entry_has_is_damaged(member: str) -> None:
    """An absent period is no period of nothing: the store's mark remembers the longest of them."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    entry = LedgerKey(KEYS[0], 1, now, timedelta(hours=1), timedelta(hours=1))
    (key,) = keys_of(Ledger(keys=(entry,)))
    status = OIDCIssuerStatus(keys=(key.model_copy(update={member: None}),), publication=StatusPublication(serial=7))
    assert read_ledger(status).ledger.serial == 0
    assert read_ledger(status).damaged == ("keys[0]",)
