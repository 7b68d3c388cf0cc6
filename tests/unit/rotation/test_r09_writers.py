"""R9: two writers under one mark. A cluster that was cloned from an etcd snapshot has the same names, ledger and owner mark."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from oidc_publisher.findings import Reason
from oidc_publisher.rotation import Ledger, StoreState, own_writes
from oidc_publisher.rotation.rebuild import MAX_NONCES
from tests.simulation.operatorprocess import Crash
from tests.simulation.scenario import HOUR, MINUTE, T0, World, key, one_server

K1, K2, K3 = key("K1"), key("K2"), key("K3")
START, DAY = timedelta(0), 24 * HOUR


def cloned() -> tuple[World, World]:
    """A world at rest, and its clone after the first pass there, in which everything was as it should be."""
    world = one_server("K1")
    world.at(START)
    twin = world.clone()
    twin.at(MINUTE)
    assert not twin.writes, "a clone at rest writes nothing"
    return world, twin


def overwritten() -> tuple[World, World]:
    """The clone rotates: it writes K2, which the first one has never seen, and the first one looks."""
    world, twin = cloned()
    twin.servers["A"].keys = [K1, K2]
    twin.at(HOUR)
    world.stored = twin.stored
    world.writes.clear()
    return world, twin


def go_on(world: World) -> None:
    """The documented step: a person takes the mark out of the status."""
    world.ledger = replace(world.ledger, second_writer_time=None)


def test_the_writer_that_remembers_its_writes_stops_at_the_first_unknown_nonce() -> None:
    """Nothing is written or removed, K2 stays; nothing is safe; and no time moves from look to look."""
    world, _ = overwritten()
    result = world.at(HOUR + MINUTE)
    assert (world.writes, world.published) == ([], {"K1", "K2"})
    assert world.ledger.second_writer_time == T0 + HOUR + MINUTE
    assert result.may_sign is False
    before = world.entry("K1")
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.writes == []
    assert world.ledger.last_complete_pass_time == T0, "no pass was complete since"
    assert world.ledger.second_writer_time == T0 + HOUR + MINUTE
    entry = world.entry("K1")
    assert (entry.served_since_time, entry.safe_to_sign_time) == (None, None)
    assert entry.published_time == before.published_time


def test_a_restart_does_not_make_it_go_on() -> None:
    """Two operators that went on by turns would each remove the other's keys."""
    world, _ = overwritten()
    world.at(HOUR + MINUTE)
    world.restart()
    world.every(4 * HOUR, until=60 * HOUR)
    assert world.writes == []


def test_the_documented_step_lets_the_right_one_go_on_and_stops_the_other() -> None:
    """It takes the other's keys in, removes none, and the other one, should it still run, stops by itself."""
    world, twin = overwritten()
    world.at(HOUR + MINUTE)
    go_on(world)
    world.at(2 * HOUR)
    assert world.published == {"K1", "K2"}
    assert world.entry("K2").unused_since_time == T0 + 2 * HOUR, "nothing lists it here: it leaves in a lifetime"
    entry = world.entry("K1")
    assert (entry.served_since_time, entry.safe_since_time) == (T0 + 2 * HOUR, None), (
        "it waits anew: what did the other serve?"
    )
    twin.stored = world.stored
    twin.writes.clear()
    twin.at(2 * HOUR + MINUTE)
    assert twin.ledger.second_writer_time is not None
    assert twin.writes == []
    world.every(HOUR, until=30 * HOUR)
    assert world.published == {"K1"}
    assert world.ledger.second_writer_time is None


def test_after_a_restart_the_first_unknown_nonce_rebuilds_and_the_second_is_a_second_writers() -> None:
    """Nobody remembers after a restart: the keys of the other are taken in, at a lower serial as well."""
    world, _ = overwritten()
    world.ledger = replace(world.ledger, serial=9)
    world.restart()
    world.at(HOUR + MINUTE)
    assert world.published == {"K1", "K2"}
    assert world.ledger.unknown_writer_time == T0 + HOUR + MINUTE
    assert world.ledger.serial >= 9
    again = replace(world.stored, keys=(K1, K2, K3), nonces=("v-again",))
    for restarted_after, stops in ((HOUR, True), (DAY + MINUTE, False)):
        late = world.clone()
        late.stored = again
        late.at(HOUR + MINUTE + restarted_after)
        assert (late.ledger.second_writer_time is not None) is stops
        assert (late.ledger.get("K3") is None) is stops


def test_writes_that_failed_are_never_taken_for_a_second_writers() -> None:
    """Each of them raised the serial and saved a nonce; the stored one stays known, also to the next process."""
    world = one_server("K1")
    world.at(START)
    world.servers["A"].keys = [K1, K2]
    world.put_fails = True
    world.every(MINUTE, until=2 * MAX_NONCES * MINUTE)
    assert world.stored.nonces[0] in world.ledger.nonces
    assert len(world.ledger.nonces) <= MAX_NONCES
    world.restart()
    world.put_fails = False
    world.at(HOUR)
    assert world.published == {"K1", "K2"}
    assert world.ledger.unknown_writer_time is None


def test_a_write_whose_answer_was_lost_is_known_by_the_ledger_that_was_saved_before_it() -> None:
    """R12: a crash after the write, and the next process reads what the dead one wrote."""
    world = one_server("K1")
    world.at(START)
    world.servers["A"].keys = [K1, K2]
    world.true_now = T0 + MINUTE
    world.run(crash=Crash.BEFORE_REPORT)
    world.at(HOUR)
    assert world.ledger.unknown_writer_time is None
    assert world.ledger.second_writer_time is None
    assert len(world.writes) == 2


def test_a_mark_without_a_nonce_is_that_of_an_earlier_version() -> None:
    """No second writer's, whoever remembers what; the next write gives it one."""
    world = one_server("K1")
    world.at(START)
    world.stored = replace(world.stored, nonces=("",))
    assert world.at(MINUTE).ledger.second_writer_time is None


def test_a_ledger_of_an_earlier_version_meets_its_first_nonce_without_stopping() -> None:
    """It has none, and so nothing is remembered."""
    world, _ = overwritten()
    world.ledger = replace(world.ledger, nonces=())
    world.restart()
    world.at(HOUR + MINUTE)
    assert world.published == {"K1", "K2"}
    assert world.ledger.second_writer_time is None


def test_an_older_version_of_our_own_documents_is_repaired() -> None:
    """Somebody put it back; its nonce is among the latest that we remember."""
    world = one_server("K1")
    world.at(START)
    older = world.stored
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    world.stored = older
    world.at(2 * HOUR)
    assert world.published == {"K1", "K2"}
    assert world.ledger.second_writer_time is None


def test_a_serial_above_ours_beside_a_nonce_of_ours_is_believed_nothing() -> None:
    """Whoever rewrote the mark has no key of theirs taken in, and the keys' clocks start anew."""
    world = one_server("K1")
    world.at(START)
    world.forge([K1, key("evil")], serial=999_999)
    result = world.at(HOUR)
    assert world.published == {"K1"}
    assert Reason.LedgerRebuilt not in {event.reason for event in result.events}
    assert world.entry("K1").served_since_time == T0 + HOUR


def test_a_lost_status_is_rebuilt_whether_the_process_lives_or_not() -> None:
    """The living one remembers its nonces; for a new one it is the first unknown nonce."""
    for restarted in (False, True):
        world = one_server("K1", "K2")
        world.at(START)
        writes = len(world.writes)
        world.wipe_status()
        if restarted:
            world.restart()
        world.at(HOUR)
        assert len(world.writes) == writes, "what is stored is what is planned"
        assert world.ledger.second_writer_time is None


def test_documents_that_are_gone_or_ours_again_end_it() -> None:
    """The second writer deleted them, or somebody put ours back: there is nobody left to wait for."""
    world, _ = overwritten()
    ours = replace(world.stored, nonces=world.ledger.nonces, keys=(K1,))
    world.at(HOUR + MINUTE)
    absent = replace(world.stored, state=StoreState.ABSENT, keys=(), nonces=(), ours=False)
    for stored in (ours, absent):
        again = world.clone()
        again.stored = stored
        again.at(2 * HOUR)
        assert again.published == {"K1"}
        assert again.ledger.second_writer_time is None


def test_what_a_process_remembers_is_judged_by_its_writes_alone() -> None:
    """A ledger that differs in other things is still its own; one with another serial or another nonce is not."""
    mine = Ledger(serial=4, nonces=("a", "b"))
    for other, certain in (
        (replace(mine, next_version=9), True),
        (replace(mine, serial=5), False),
        (replace(mine, nonces=("a",)), False),
        (None, False),
    ):
        assert own_writes(mine, other, token_lifetime=DAY, now=T0).certain is certain
    assert own_writes(mine, replace(mine, nonces=("c",)), token_lifetime=DAY, now=T0).nonces == {"a", "b", "c"}
