"""Edges of the rules that an adversarial reading found open: each history here once ended in a broken promise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from oidc_publisher.findings import Finding, Reason
from oidc_publisher.rotation import Listing, Origin, SourceReading
from oidc_publisher.rotation.listing import MAX_ENTRIES
from oidc_publisher.rotation.signing import MAX_ENDPOINTS
from tests.simulation.scenario import DEFAULTS, HOUR, MINUTE, T0, Server, Source, World, key, one_server

K1, K2, K3 = key("K1"), key("K2"), key("K3")
START = timedelta(0)


def found(world: World, reason: Reason) -> list[Finding]:
    """The findings of the last pass with this reason."""
    assert world.last is not None
    return [finding for finding in world.last.findings if finding.reason is reason]


def _signed_early_before_the_first_complete_pass() -> World:
    """B is down from the start; A signs with K2 for some minutes and goes back to K1; B returns an hour later."""
    world = World(servers={"A": Server([K1], K1), "B": Server([K1], K1, up=False)})
    world.at(START)
    world.servers["A"] = Server([K1, K2], K2)
    world.at(HOUR)
    world.servers["A"].signer = K1
    world.at(HOUR + 5 * MINUTE)
    world.servers["B"] = Server([K1, K2], K1)
    world.at(2 * HOUR)
    return world


def test_r10_only_what_signs_in_the_first_complete_pass_is_the_baseline() -> None:
    """K2 signed an hour before it and no longer does: it waits in full, and the early signature is told."""
    world = _signed_early_before_the_first_complete_pass()
    assert world.ledger.last_complete_pass_time == T0 + 2 * HOUR
    assert not world.entry("K2").baseline
    assert world.entry("K2").safe_since_time is None
    assert world.entry("K2").safe_to_sign_time == T0 + 25 * HOUR + 10 * MINUTE
    early = found(world, Reason.SignedBeforeSafe)
    assert [finding.subject for finding in early] == ["K2"]
    assert "2026-01-02T01:10:00Z" in early[0].message
    assert world.entry("K1").safe_since_time is not None


def _lowered_after_a_day_s_age() -> World:
    """Copies of the set live for a day; then they live for five minutes."""
    world = one_server("K1")
    world.policy = replace(world.policy, cache_max_age=24 * HOUR)
    world.at(START)
    world.at(HOUR)
    world.policy = DEFAULTS
    world.at(HOUR + MINUTE)
    return world


@pytest.mark.parametrize("days", [2, 365, -2])
def test_r13_an_untrusted_clock_forgets_no_cache_age(days: int) -> None:
    """One pass with the clock elsewhere, then K2: copies of a day are out there all the same, for a day and no longer."""
    world = _lowered_after_a_day_s_age()
    world.clock_error = days * 24 * HOUR
    world.at(HOUR + 30 * MINUTE)
    world.clock_error = START
    world.servers["A"].keys = [K1, K2]
    world.at(2 * HOUR)
    assert world.entry("K2").stale_age == 24 * HOUR
    world.servers["A"].keys = [K1, K2, K3]
    world.at(27 * HOUR)
    assert world.entry("K3").stale_age == 5 * MINUTE


def test_r13_a_key_that_enters_under_an_untrusted_clock_waits_for_every_copy() -> None:
    """The clock is two days ahead in the very pass in which K2 is first seen."""
    world = _lowered_after_a_day_s_age()
    world.clock_error = 48 * HOUR
    world.servers["A"].keys = [K1, K2]
    world.at(2 * HOUR)
    assert world.entry("K2").stale_age == 24 * HOUR


def test_r13_an_age_that_was_in_force_under_a_clock_that_is_behind_is_not_forgotten() -> None:
    """The age is a day only while the clock is two days behind: nobody knew until when its copies live."""
    world = one_server("K1")
    world.at(START)
    world.clock_error = -48 * HOUR
    world.policy = replace(world.policy, cache_max_age=24 * HOUR)
    world.at(HOUR)
    world.policy = DEFAULTS
    world.clock_error = START
    world.at(HOUR + MINUTE)
    world.servers["A"].keys = [K1, K2]
    world.at(2 * HOUR)
    assert world.entry("K2").stale_age == 24 * HOUR


def test_r13_every_time_of_the_ledger_that_lies_ahead_becomes_now() -> None:
    """B leaves while the clock is a day ahead; documents were taken over, and a pass was complete, in the same hour."""
    world = World(servers={"A": Server([K1], K1), "B": Server([K1], K1)})
    world.at(START)
    del world.servers["B"]
    world.clock_error = 24 * HOUR
    world.at(HOUR)
    ahead = T0 + 25 * HOUR
    assert [e.gone_since_time for e in world.ledger.endpoints] == [None, ahead]
    world.ledger = replace(world.ledger, adopted_time=ahead, last_complete_pass_time=ahead)
    world.clock_error = START
    world.at(2 * HOUR)
    now = T0 + 2 * HOUR
    assert [e.gone_since_time for e in world.ledger.endpoints] == [None, now]
    assert (world.ledger.adopted_time, world.ledger.last_complete_pass_time) == (now, now)


def test_r8_other_material_everywhere_at_once_is_told_until_it_is_safe() -> None:
    """Under a known ID another key is listed and signs: it is a new key, which signed early and waits in full."""
    world = one_server("K1")
    world.at(START)
    new = key("K1", material="other")
    world.servers["A"] = Server([new], new)
    world.at(HOUR)
    assert world.entry("K1").safe_since_time is None
    assert world.entry("K1").first_signed_time == T0 + HOUR
    for hour in (1, 24):
        world.at(hour * HOUR)
        assert [finding.subject for finding in found(world, Reason.KeyMaterialChanged)] == ["K1"]
        assert "2026-01-02T01:10:00Z" in found(world, Reason.KeyMaterialChanged)[0].message
        assert [finding.subject for finding in found(world, Reason.SignedBeforeSafe)] == ["K1"]
    world.at(26 * HOUR)
    assert world.entry("K1").safe_since_time is not None
    assert not {Reason.KeyMaterialChanged, Reason.SignedBeforeSafe} & world.reasons()


def test_r8_other_material_waits_for_copies_of_the_longer_age() -> None:
    """Copies of a day hold the former material, though the age was lowered since K1 entered."""
    world = one_server("K1")
    world.at(START)
    world.ledger = replace(world.ledger, cache_ages=_lowered_after_a_day_s_age().ledger.cache_ages)
    new = key("K1", material="other")
    world.servers["A"] = Server([new], new)
    world.at(2 * HOUR)
    assert world.entry("K1").stale_age == 24 * HOUR


def test_r7_every_present_api_server_counts_however_many_there_are() -> None:
    """The last of 65 signs with K1, which no file has any more; of those that left no more are kept than fit."""
    world = World(servers={f"A{n:03}": Server([K1, K2], K2) for n in range(MAX_ENDPOINTS + 1)})
    last = f"A{MAX_ENDPOINTS:03}"
    world.servers[last].signer = K1
    world.at(START)
    for server in world.servers.values():
        server.keys = [K2]
    world.every(6 * HOUR, until=60 * HOUR)
    assert "K1" in world.published
    del world.servers["A000"]
    world.at(61 * HOUR)
    assert [e.address for e in world.ledger.endpoints] == sorted(world.servers)


def test_r11_a_key_that_signs_enters_a_full_ledger() -> None:
    """A source went mad and filled it; the API server's own new key is published all the same."""
    world = World(
        servers={"A": Server([K1], K1)}, sources={"cm": Source([key(f"M{n:03}") for n in range(MAX_ENTRIES)])}
    )
    world.at(START)
    assert len(world.ledger.keys) == MAX_ENTRIES
    world.servers["A"] = Server([K1, K2, K3], K2)
    world.at(HOUR)
    assert "K2" in world.published
    assert world.ledger.get("K3") is None
    assert Reason.SigningKeyUnknown not in world.reasons()


def test_r11_the_ledger_ends_by_its_size_too_and_says_who_stays_outside() -> None:
    """512 keys with the longest IDs would be an object that etcd refuses, and the status of yesterday would stay."""
    world = World(
        servers={"A": Server([K1], K1)}, sources={"cm": Source([key(f"{n:03}" + 1000 * "<") for n in range(200)])}
    )
    result = world.at(START)
    assert 1 < len(world.ledger.keys) < 200
    assert world.ledger.get("K1") is not None
    said = [f.message for f in result.findings if f.reason is Reason.TooManyKeys and f.subject == "ledger"]
    assert len(said) == 1
    assert f"{201 - len(world.ledger.keys)} listed keys are not taken up" in said[0]


class Everywhere(Source):
    """A source in which twenty entries hold the same key."""

    def read(self, name: str) -> SourceReading:
        """List it twenty times."""
        return SourceReading(name, complete=True, listings=tuple(Listing(K2, f"{n}.pub") for n in range(20)))


def test_r4_a_key_in_many_entries_is_kept_while_any_entry_of_its_source_is_unreadable() -> None:
    """Their names are not kept, so each of them may be where it still is."""
    world = World(servers={"A": Server([K1], K1)}, sources={"cm": Everywhere()})
    world.at(START)
    assert world.entry("K2").origins == (Origin("cm"),)
    world.sources["cm"] = Source([K1], entries={"K1": ("one.pub", None)}, unreadable=frozenset({"7.pub"}))
    world.every(4 * HOUR, until=60 * HOUR)
    assert "K2" in world.published
    assert world.entry("K2").unused_since_time is None
    world.sources["cm"].unreadable = frozenset()
    world.at(61 * HOUR)
    assert world.entry("K2").unused_since_time is not None


def test_r14_a_withdrawn_key_is_not_safe_even_where_it_must_stay() -> None:
    """The only key is stolen: it stays published, and nobody is told that it may sign; taken back, it may again."""
    world = one_server("K1")
    world.at(START)
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K1"}))
    result = world.at(HOUR)
    assert world.published == {"K1"}
    assert world.entry("K1").safe_since_time is None
    assert world.entry("K1").safe_to_sign_time is None
    assert result.may_sign is False
    assert [finding.subject for finding in found(world, Reason.KeyWithdrawn)] == ["K1"]
    world.policy = DEFAULTS
    world.at(2 * HOUR)
    assert world.entry("K1").safe_since_time == T0 + 2 * HOUR


def test_r14_a_withdrawn_key_is_not_safe_before_it_has_left() -> None:
    """The write that takes it out fails: it is still served, and nobody is told that it may sign."""
    world = one_server("K1", "K2")
    world.at(START)
    world.put_fails = True
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K2"}))
    world.at(HOUR)
    assert world.published == {"K1", "K2"}
    assert world.entry("K2").safe_since_time is None


def test_r4_a_key_that_only_an_unreadable_entry_may_hold_is_told_of() -> None:
    """Every pass is complete, and yet it never retires: the entry is named, else nobody knows what keeps it."""
    entries = {"K1": ("1.pub", 1), "K2": ("2.pub", 2)}
    world = World(servers={"A": Server([K2], K2)}, sources={"cm": Source([K1, K2], entries=entries)})
    world.at(START)
    world.sources["cm"] = Source([K2], entries=entries, unreadable=frozenset({"1.pub"}))
    result = world.every(4 * HOUR, until=60 * HOUR)
    assert result.complete
    assert "K1" in world.published
    (blocked,) = found(world, Reason.RetirementBlocked)
    assert blocked.subject == "K1"
    assert "it may be in what cannot be read: 1.pub of source cm" in blocked.message
    world.wipe_status()
    world.at(61 * HOUR)
    assert "1.pub of source cm" in found(world, Reason.RetirementBlocked)[0].message
    world.sources["cm"].unreadable = frozenset()
    world.at(62 * HOUR)
    assert not found(world, Reason.RetirementBlocked)


@pytest.mark.parametrize("what", ["the store", "a trusted clock"])
def test_r5_what_keeps_a_key_from_retiring_is_named(what: str) -> None:
    """K1 is listed by nobody, and one thing cannot be read."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    world.store_up = what != "the store"
    world.clock_error = START if what == "the store" else HOUR
    world.at(HOUR)
    (blocked,) = found(world, Reason.RetirementBlocked)
    assert f"these did not answer: {what}" in blocked.message
    assert world.entry("K1").unused_since_time is None


def test_r5_a_removal_that_cannot_be_written_is_overdue_and_told_when_it_is_done() -> None:
    """Overdue five minutes after its time, not before; KeyRetired once it has left."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    world.put_fails = True
    due = 25 * HOUR + 5 * MINUTE
    world.at(due + 5 * MINUTE)
    assert not found(world, Reason.RetirementOverdue)
    world.at(due + 6 * MINUTE)
    (overdue,) = found(world, Reason.RetirementOverdue)
    assert overdue.subject == "K1"
    assert "2026-01-02T01:05:00Z" in overdue.message
    world.put_fails = False
    result = world.at(due + 7 * MINUTE)
    assert [(event.reason, event.subject) for event in result.events] == [(Reason.KeyRetired, "K1")]
    assert not found(world, Reason.RetirementOverdue)


def test_r9_a_rebuilt_ledger_is_told_of_once() -> None:
    """The status was lost."""
    world = one_server("K1", "K2")
    world.at(START)
    world.wipe_status()
    assert [event.reason for event in world.at(HOUR).events][-1] is Reason.LedgerRebuilt
    assert Reason.LedgerRebuilt not in {event.reason for event in world.at(2 * HOUR).events}


@pytest.mark.parametrize("algorithm", ["ES256", "ES384"])
def test_a_new_algorithm_is_announced_where_nobody_is_seen_signing(algorithm: str) -> None:
    """An issuer without API servers: parties have met the first keys' algorithm; ES384 is new beside ES256 too."""
    first = key("first", algorithm="RS256" if algorithm == "ES256" else "ES256")
    world = World(sources={"cm": Source([first])})
    world.at(START)
    assert not found(world, Reason.KeyTypeChange)
    world.sources["cm"].keys = [first, key("second", algorithm=algorithm)]
    world.at(HOUR)
    assert [finding.subject for finding in found(world, Reason.KeyTypeChange)] == ["second"]


def test_r7_an_api_server_is_gone_too_when_its_source_leaves_the_spec() -> None:
    """No EndpointSlice is spoken of: the spec may name addresses, or no API server at all."""
    world = one_server("K1")
    world.at(START)
    world.servers = {}
    world.sources["cm"] = Source([K1])
    world.at(HOUR)
    (gone,) = found(world, Reason.EndpointGone)
    assert gone.message.startswith("API server A is no longer one of this issuer's (gone since 2026-01-01T01:00:00Z;")
