"""Each rule of rotation by itself, named as the contract names it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from oidc_publisher.findings import Reason, Severity
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import State, signing_key_ids, state
from oidc_publisher.rotation.listing import MAX_ENTRIES
from tests.simulation.scenario import HOUR, MINUTE, SECOND, T0, Server, Source, World, key, one_server

K1, K2, K3 = key("K1"), key("K2"), key("K3")
START = timedelta(0)


def state_of(world: World, name: str) -> State:
    """The state of a key as people see it."""
    return state(world.entry(name), signing_key_ids(world.ledger))


def test_r1_a_key_is_published_as_soon_as_any_source_lists_it() -> None:
    """Entering needs no complete pass: another source may be away."""
    world = World(sources={"a": Source([K1]), "b": Source([K2], up=False)})
    world.at(START)
    assert world.published == {"K1"}
    world.sources["a"].keys = [K1, K3]
    world.at(MINUTE)
    assert world.published == {"K1", "K3"}


def test_r2_absence_from_one_edge_starts_the_clock_anew() -> None:
    """One of several reads without the key is absence; it is served again from the first read that shows it."""
    world = one_server("K1", "K2")
    world.at(START)
    world.edges = {"origin": None, "stale": (K1,)}
    world.at(MINUTE)
    assert world.entry("K2").served_since_time is None
    assert world.entry("K2").safe_since_time is None
    world.edges = {}
    world.at(2 * MINUTE)
    assert world.entry("K2").served_since_time == T0 + 2 * MINUTE
    assert world.entry("K2").safe_since_time is None, "it waits in full: sets without it may be cached now"


def test_r2_a_failed_probe_changes_nothing() -> None:
    """No reading of the wire is no absence."""
    world = one_server("K1", "K2")
    world.at(START)
    before = world.entry("K2")
    world.wire_up = False
    world.at(HOUR)
    assert world.entry("K2").served_since_time == before.served_since_time
    assert world.entry("K2").safe_since_time == before.safe_since_time


def test_r2_a_set_rewritten_by_somebody_else_starts_the_clock_anew() -> None:
    """Nobody knows what was served meanwhile."""
    world = one_server("K1", "K2")
    world.at(START)
    world.forge([K2, K1], ours=False)
    world.at(MINUTE)
    assert world.entry("K2").served_since_time == T0 + MINUTE


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


def test_r4_an_incomplete_source_delists_nothing() -> None:
    """Half of the API servers answer, without K1: it stays listed."""
    world = World(servers={"A": Server([K1, K2], K2), "B": Server([K1, K2], K2)})
    world.at(START)
    world.servers["A"].keys = [K2]
    world.servers["B"].up = False
    world.at(HOUR)
    assert world.entry("K1").origins
    assert world.entry("K1").unused_since_time is None


def test_r4_an_unreadable_entry_keeps_a_rebuilt_key_that_was_not_seen_since() -> None:
    """The status was lost, and the one entry that may hold the key cannot be read."""
    entries = {"K1": ("one.pub", 1), "K2": ("two.pub", 2)}
    world = World(sources={"cm": Source([K1, K2], entries=entries)})
    world.at(START)
    world.wipe_status()
    world.sources["cm"].keys = [K2]
    world.sources["cm"].unreadable = frozenset({"one.pub"})
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.published == {"K1", "K2"}


def test_r5_a_key_leaves_in_the_first_complete_pass_from_its_time_on() -> None:
    """Due at 25h05m; an incomplete pass then does not remove it, the next complete one does."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    due = 25 * HOUR + 5 * MINUTE
    assert world.entry("K1").retire_time == T0 + due
    world.at(due - SECOND)
    assert state_of(world, "K1") is State.RETIRING
    world.store_up = False
    world.at(due)
    assert world.ledger.get("K1") is not None
    world.store_up = True
    world.at(due + SECOND)
    assert world.published == {"K2"}
    assert world.ledger.get("K1") is None


def test_r5_listing_again_clears_the_retirement() -> None:
    """A rollback: the key is in use again, and safe again in the first pass that sees it."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.every(6 * HOUR, until=25 * HOUR)
    assert world.entry("K1").safe_since_time is not None
    world.servers["A"].keys = [K2]
    world.at(26 * HOUR)
    assert world.entry("K1").safe_since_time is None, "a Retiring key is not safe"
    world.servers["A"].keys = [K1, K2]
    world.at(27 * HOUR)
    assert world.entry("K1").unused_since_time is None
    assert world.entry("K1").retire_time is None
    assert world.entry("K1").safe_since_time == T0 + 27 * HOUR


def test_r6_a_write_that_adds_a_key_removes_none() -> None:
    """K3 enters in the pass in which K1 is due: first both are there, then K1 goes."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    world.servers["A"].keys = [K2, K3]
    world.writes.clear()
    world.at(26 * HOUR)
    assert [{k.key_id for k in keys} for keys in world.writes] == [{"K1", "K2", "K3"}, {"K2", "K3"}]


def test_r6_the_set_never_becomes_empty() -> None:
    """All that is still listed is a withdrawn key: of those due, the last to sign stays, not the withdrawn one."""
    world = World(servers={"A": Server([K1, K2], K1)})
    world.at(START)
    world.servers["A"].signer = K2
    world.at(HOUR)
    world.servers = {}
    world.sources["cm"] = Source([K3])
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K3"}))
    world.every(4 * HOUR, until=80 * HOUR)
    assert world.published == {"K2"}


def test_r7_a_key_that_signs_never_leaves() -> None:
    """Delisted everywhere, but the API server still signs with it: kept and reported."""
    world = one_server("K1", "K2")
    world.at(START)
    world.servers["A"] = Server([K2], K1)
    world.every(4 * HOUR, until=60 * HOUR)
    assert "K1" in world.published
    assert Reason.SigningKeyUnlisted in world.reasons()


def test_r7_an_endpoint_that_does_not_answer_still_counts_with_its_latest_token() -> None:
    """B signed with K1 when it was last heard; it is still in the EndpointSlice."""
    world = World(servers={"A": Server([K1, K2], K2), "B": Server([K1, K2], K1)})
    world.at(START)
    world.servers["B"].up = False
    world.servers["A"].keys = [K2]
    world.every(4 * HOUR, until=60 * HOUR)
    assert "K1" in world.published


def test_r7_an_endpoint_that_left_is_reported_and_gives_no_grace() -> None:
    """B is gone from the EndpointSlice: K1, which only it signed with, retires at once."""
    world = World(servers={"A": Server([K1, K2], K2), "B": Server([K1, K2], K1)})
    world.at(START)
    del world.servers["B"]
    world.servers["A"].keys = [K2]
    result = world.at(HOUR)
    gone = [f for f in result.findings if f.reason is Reason.EndpointGone]
    assert [f.subject for f in gone] == ["B"]
    assert "K1" in gone[0].message
    assert world.entry("K1").unused_since_time == T0 + HOUR


def test_r7_a_minted_kid_without_material_is_reported() -> None:
    """The signing key is in no key file."""
    world = one_server("K1", signer="stranger")
    world.at(START)
    assert Reason.SigningKeyUnknown in world.reasons()
    assert world.published == {"K1"}


@pytest.mark.parametrize("verified", [True, False])
def test_r8_of_two_materials_the_one_that_verifies_wins_else_the_first(verified: bool) -> None:
    """The same kid with other material is reported either way."""
    first, second = key("K1", material="first"), key("K1", material="second")
    world = World(sources={"a": Source([first])})
    world.at(START)
    world.sources["b"] = Source([second])
    if verified:
        world.servers["A"] = Server([first], second)
    world.at(MINUTE)
    assert world.stored.keys == ((second if verified else first),)
    assert Reason.KeyMaterialChanged in world.reasons()


def test_r9_an_empty_ledger_and_an_unreadable_store_write_nothing() -> None:
    """There may be keys that nobody knows any more."""
    world = one_server("K1", "K2")
    world.at(START)
    world.wipe_status()
    world.servers["A"].keys = [K2]
    world.store_up = False
    writes = len(world.writes)
    world.at(HOUR)
    assert len(world.writes) == writes
    world.store_up = True
    world.at(2 * HOUR)
    assert world.published == {"K1", "K2"}, "K1 was rebuilt from the store, though a source named K2 meanwhile"


def test_r10_a_key_that_signs_before_it_is_safe_is_reported_with_its_time() -> None:
    """Decided once: reported until it is safe, and a later absence from the wire is another matter."""
    world = one_server("K1")
    world.at(START)
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    world.servers["A"].signer = K2
    result = world.at(2 * HOUR)
    early = [f for f in result.findings if f.reason is Reason.SignedBeforeSafe]
    assert [f.subject for f in early] == ["K2"]
    assert "2026-01-02T01:10:00Z" in early[0].message
    world.at(26 * HOUR)
    assert Reason.SignedBeforeSafe not in world.reasons()
    world.edges = {"stale": (K1,)}
    world.at(27 * HOUR)
    assert Reason.SignedBeforeSafe not in world.reasons()


def _many(count: int) -> list[PublicKey]:
    return [key(f"M{n:03}") for n in range(count)]


def test_r11_above_ten_keys_is_a_warning_and_the_hundred_and_first_waits() -> None:
    """AWS takes 100 of a type; another type has room of its own."""
    world = World(sources={"a": Source([*_many(11)])})
    world.at(START)
    found = [f for f in world.last.findings if f.reason is Reason.TooManyKeys]  # type: ignore[union-attr]
    assert [f.severity for f in found] == [Severity.WARNING]
    world.sources["a"].keys = [*_many(100)]
    world.at(HOUR)
    world.sources["a"].keys = [*_many(100), key("late"), key("rsa", algorithm="RS256")]
    world.at(2 * HOUR)
    assert "late" not in world.published
    assert "rsa" in world.published
    assert state_of(world, "late") is State.PENDING
    found = [f for f in world.last.findings if f.reason is Reason.TooManyKeys]  # type: ignore[union-attr]
    assert [f.severity for f in found] == [Severity.CRITICAL]


def test_r11_only_a_key_that_signs_displaces_another_never_one_that_signs() -> None:
    """The one not yet safe goes first; 100 are never exceeded."""
    many = _many(99)
    world = World(servers={"A": Server([*many], many[0])})
    world.at(START)
    world.servers["A"].keys = [*many, K1]
    world.at(HOUR)
    assert world.entry("K1").safe_since_time is None
    world.servers["A"] = Server([*many, K1, K2], K2)
    world.at(2 * HOUR)
    assert "K2" in world.published
    assert "K1" not in world.published
    assert all(len(keys) <= 100 for keys in world.writes)


def test_r11_the_ledger_itself_has_an_end() -> None:
    """A source that goes mad cannot make the object too large to be saved."""
    world = World(sources={"a": Source([*_many(MAX_ENTRIES + 50)])})
    world.at(START)
    assert len(world.ledger.keys) == MAX_ENTRIES


def test_r12_every_write_raises_the_serial_and_an_entry_goes_after_the_store_was_read_without_it() -> None:
    """The serial of the stored object and of the ledger are one."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    assert (world.ledger.serial, world.stored.serial) == (1, 1)
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    world.put_fails = True
    world.at(26 * HOUR)
    assert world.ledger.serial == 2
    assert world.entry("K1").leaving
    world.put_fails = False
    world.at(27 * HOUR)
    assert world.ledger.get("K1") is None
    assert world.stored.serial == world.ledger.serial == 3


def test_r13_a_time_that_lies_ahead_becomes_now() -> None:
    """The clock was ahead when the key was first seen; then it was set right."""
    world = one_server("K1")
    world.at(START)
    world.ledger = replace(
        world.ledger, keys=tuple(replace(e, first_seen_time=T0 + 9 * HOUR) for e in world.ledger.keys)
    )
    world.at(HOUR)
    assert world.entry("K1").first_seen_time == T0 + HOUR


def test_r14_a_withdrawn_key_goes_at_once_whatever_lists_or_signs_with_it() -> None:
    """Reported for as long as it is listed or signs."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K2"}))
    world.at(MINUTE)
    assert world.published == {"K1"}
    assert Reason.KeyWithdrawn in world.reasons()


def test_r14_never_the_last_key() -> None:
    """A set of withdrawn keys alone keeps the last to sign."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K1", "K2"}))
    world.at(MINUTE)
    assert world.published == {"K2"}


def test_versions_are_numbers() -> None:
    """9 is older than 10, and 99 than 100: newest first in the published set."""
    names = {9: key("a"), 10: key("b"), 99: key("c"), 100: key("d")}
    entries = {k.key_id: (f"{n}.pub", n) for n, k in names.items()}
    world = World(sources={"cm": Source(list(names.values()), entries=entries)})
    world.at(START)
    assert [k.key_id for k in world.stored.keys] == ["d", "c", "b", "a"]


def test_a_named_version_beats_an_assigned_one_and_numbers_are_not_reused() -> None:
    """The API server's key gets the next number until an entry names one."""
    world = World(servers={"A": Server([K1], K1)})
    world.at(START)
    assert (world.entry("K1").version, world.entry("K1").version_named) == (1, False)
    world.sources["cm"] = Source([K1], entries={"K1": ("010.pub", 10)})
    world.at(MINUTE)
    assert (world.entry("K1").version, world.entry("K1").version_named) == (10, True)
    world.servers["A"].keys = [K1, K2]
    world.at(2 * MINUTE)
    assert world.entry("K2").version == 11


def test_the_same_number_for_two_keys_is_allowed_and_reported() -> None:
    """OpenShift reuses numbers after pruning."""
    world = World(sources={"cm": Source([K1, K2], entries={"K1": ("1.pub", 1), "K2": ("01.pub", 1)})})
    world.at(START)
    assert world.published == {"K1", "K2"}
    assert Reason.VersionReused in world.reasons()


def test_the_first_key_of_another_type_is_announced() -> None:
    """Parties that froze their algorithms must restart before it signs."""
    world = one_server("K1")
    world.at(START)
    world.servers["A"].keys = [K1, key("rsa", algorithm="RS256")]
    result = world.at(HOUR)
    assert [f.subject for f in result.findings if f.reason is Reason.KeyTypeChange] == ["rsa"]


def test_the_next_deadline_is_the_earliest_time_that_changes_the_answer() -> None:
    """The safeToSignTime of a served key, the retireTime of a retiring one; nothing when all is at rest."""
    world = one_server("K1")
    assert world.at(START).wake_at is None
    world.servers["A"].keys = [K1, K2]
    assert world.at(HOUR).wake_at == T0 + 25 * HOUR + 10 * MINUTE


def test_a_resting_ledger_stays_the_same_within_a_coarse_period() -> None:
    """Two passes a minute apart in the same five minutes give equal ledgers: no PATCH."""
    world = one_server("K1")
    world.at(MINUTE)
    world.at(MINUTE + SECOND)
    before = world.ledger
    world.at(3 * MINUTE)
    assert world.ledger == before
    world.at(6 * MINUTE)
    assert world.ledger != before, "coarse times move once in a period"
