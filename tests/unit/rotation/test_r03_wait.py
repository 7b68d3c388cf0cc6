"""R3: how long a key waits until it is safe to sign with, and which keys do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from oidc_publisher.findings import Reason
from oidc_publisher.probe.wire.port import Fetched
from oidc_publisher.rotation import Ledger, Mints, State, StoredReading, StoreState, WireReading, advance
from tests.simulation.publicface import JWKS_PATH
from tests.simulation.rulecases import K1, K2, START, state_of
from tests.simulation.scenario import HOUR, MINUTE, SECOND, T0, Source, World, one_server


def test_r3_a_key_is_safe_after_the_period_the_stale_age_and_the_skew() -> None:
    """Served at 1 h: 24 h + 5 m + 5 m later, not a second earlier, and only in a pass that sees it."""
    world = one_server("K1")
    world.at(START)
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    due = 25 * HOUR + 10 * MINUTE
    world.at(due - SECOND)
    assert state_of(world, "K2") is State.SERVED
    world.wire_up = False
    world.at(due)
    assert state_of(world, "K2") is State.SERVED, "a pass that does not see it on the wire makes nothing safe"
    world.wire_up = True
    result = world.at(due + SECOND)
    assert state_of(world, "K2") is State.SAFE_TO_SIGN
    assert [e.subject for e in result.events if e.reason is Reason.KeySafe] == ["K2"]


def test_r3_the_stale_age_is_the_longest_that_the_wire_stated() -> None:
    """A CDN that says an hour makes the wait an hour longer than the spec's five minutes; one that says nothing, a day."""
    for stated, expected in ((HOUR, HOUR), (timedelta(seconds=1), 5 * MINUTE)):
        world = one_server("K1")
        world.at(START)
        world.wire_age = stated
        world.servers["A"].keys = [K1, K2]
        world.at(HOUR)
        assert world.entry("K2").stale_age == expected


def test_r3_without_an_api_server_the_very_first_keys_are_safe_once_served() -> None:
    """Such an issuer mints nothing, so that nobody can be seen signing: what is listed first over an empty place is exempt."""
    world = World(sources={"cm": Source([K1])})
    world.at(START)
    assert world.entry("K1").safe_since_time == T0
    world.sources["cm"].keys = [K1, K2]
    world.at(HOUR)
    assert not world.entry("K2").founding


def test_r3_where_tokens_are_minted_only_the_baseline_is_exempt() -> None:
    """No object and a 404 are also an issuer that was deleted and made again: K2, which nobody has seen, waits in full."""
    world = one_server("K1", "K2")
    world.at(START)
    assert world.entry("K1").safe_since_time == T0, "it signs, and waiting would protect nobody"
    assert world.entry("K2").safe_since_time is None
    assert world.entry("K2").safe_to_sign_time == T0 + 24 * HOUR + 10 * MINUTE


def test_r3_where_no_token_could_be_minted_nothing_is_exempt() -> None:
    """The API server lists its keys and mints no token: who signs is not known, and so nothing is called safe."""
    world = one_server("K1", "K2")
    seen = world.look()
    plan = advance(Ledger(), replace(seen, mints=Mints(("A",), ()), wire=WireReading(absent=True)))
    assert not any(entry.founding or entry.baseline for entry in plan.ledger.keys)


def test_r3_an_empty_place_has_no_object_no_answer_and_no_write_of_ours() -> None:
    """Else copies of something else may be in caches."""
    seen = World(sources={"cm": Source([K1])}).look()
    assert advance(Ledger(), seen).ledger.keys[0].founding
    unread = replace(seen, stored=StoredReading(StoreState.UNREADABLE))
    for ledger, spoilt in ((Ledger(), unread), (Ledger(), replace(seen, wire=None)), (Ledger(serial=1), seen)):
        assert not advance(ledger, spoilt).ledger.keys[0].founding


def test_r3_what_an_earlier_version_exempted_waits_unless_it_was_safe() -> None:
    """Its mark stands in the status: a key that was called safe stays so, one that waits does so in full."""
    world = one_server("K1", "K2")
    world.at(START)
    entries = tuple(replace(entry, founding=True) for entry in world.ledger.keys)
    world.ledger = replace(world.ledger, keys=entries)
    world.at(MINUTE)
    assert world.entry("K1").safe_since_time == T0
    assert (world.entry("K2").founding, world.entry("K2").safe_since_time) == (False, None)


def test_r3_a_wire_that_states_no_age_counts_as_a_day() -> None:
    """Without a stated age some verifiers keep a set for 24 h."""
    world = one_server("K1")
    world.at(START)
    world.servers["A"].keys = [K1, K2]
    world.true_now = T0 + HOUR
    result = advance(world.ledger, replace(world.look(), wire=WireReading((frozenset({K1}),), max_age=None)))
    entry = result.ledger.get("K2")
    assert entry is not None
    assert entry.stale_age == 24 * HOUR


@pytest.mark.parametrize("left", [True, False], ids=["discovery left", "nothing left"])
def test_r3_a_place_that_has_lost_its_key_set_is_not_an_empty_one(
    monkeypatch: pytest.MonkeyPatch, *, left: bool
) -> None:
    """Status and key set are lost while the URL leads nowhere. The discovery document tells that caches hold a former set."""
    world = World(sources={"cm": Source([K1])})
    world.run()
    world.sources["cm"].keys.append(K2)
    world.at(HOUR)
    del world.bucket.documents[JWKS_PATH]
    if not left:
        world.bucket.documents.clear()
    world.wipe_status()
    world.restart()
    with monkeypatch.context() as patch:
        patch.setattr(world, "answer", lambda url, _: Fetched(url, 404, date_offset=timedelta(0)))
        world.at(2 * HOUR)
    world.restart()
    world.at(2 * HOUR + MINUTE)
    assert world.entry("K2").served_since_time is not None
    assert (world.entry("K2").safe_since_time is None) is left
