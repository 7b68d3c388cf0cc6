"""Parts of rules that only these tests guard: without each of them a mutant of hack/mutate.py survives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from oidc_publisher.findings import Reason
from oidc_publisher.rotation import (
    Ledger,
    Mints,
    StoredReading,
    StoreState,
    WireReading,
    advance,
    signing_key_ids,
    whole_second,
)
from tests.simulation.scenario import HOUR, MINUTE, SECOND, T0, Server, Source, World, key, one_server

K1, K2, K3 = key("K1"), key("K2"), key("K3")
START = timedelta(0)


def test_r2_absence_from_the_store_alone_starts_the_clock_anew() -> None:
    """The bucket was rolled back to an older write of ours, and the wire cannot be read."""
    world = one_server("K1", "K2")
    world.at(START)
    world.wire_up = False
    world.forge([K1], serial=0)
    world.at(MINUTE)
    assert world.published == {"K1", "K2"}
    assert world.entry("K2").served_since_time is None
    assert world.entry("K1").served_since_time == T0


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


def test_r4_an_edited_source_names_nothing_of_what_it_named_before() -> None:
    """The entry of the spec was edited, and what it points to now was read in full: K2 is listed by nobody."""
    world = World(sources={"a": Source([K1, K2])})
    world.at(START)
    world.sources["a"] = Source([K1], up=False)
    world.at(MINUTE)
    assert world.entry("K2").unused_since_time is None, "nothing retires before the new one was read"
    world.sources["a"].up = True
    world.at(2 * MINUTE)
    assert world.entry("K2").origins == ()
    assert world.entry("K2").unused_since_time == T0 + 2 * MINUTE


def test_r5_the_deadline_of_a_retiring_key_is_its_retire_time() -> None:
    """A timer starts the pass in which it leaves, on an operator that is idle otherwise."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    assert world.at(HOUR).wake_at == T0 + 25 * HOUR + 5 * MINUTE


def test_r6_of_several_due_the_last_to_sign_stays() -> None:
    """Nothing is listed and nothing signs any more: one key is not even marked as leaving."""
    world = one_server("K1", "K2", signer="K1")
    world.at(START)
    world.servers["A"].signer = K2
    world.at(HOUR)
    world.servers = {}
    world.every(4 * HOUR, until=80 * HOUR)
    assert world.published == {"K2"}
    assert not world.entry("K2").leaving


def test_r7_the_latest_token_of_a_silent_endpoint_is_remembered() -> None:
    """B does not answer and is still in the EndpointSlice: it counts with the kid that it last signed with."""
    world = World(servers={"A": Server([K1, K2], K2), "B": Server([K1, K2], K1)})
    world.at(START)
    world.servers["B"].up = False
    world.at(HOUR)
    assert signing_key_ids(world.ledger) == {"K1", "K2"}


def test_r8_other_material_inherits_no_safety() -> None:
    """Under the same kid another material verifies, while neither store nor wire can be read: it is not safe at all."""
    first, second = key("K1", material="first"), key("K1", material="second")
    world = World(servers={"A": Server([first], first)})
    world.at(START)
    assert world.entry("K1").safe_since_time == T0
    world.servers["A"] = Server([second], second)
    world.store_up = world.wire_up = False
    world.at(HOUR)
    assert world.entry("K1").key == second
    assert world.entry("K1").safe_since_time is None
    assert {Reason.KeyMaterialChanged, Reason.SignedBeforeSafe} <= world.reasons()
    world.wire_up = True
    world.at(90 * MINUTE)
    assert world.entry("K1").safe_since_time is None, "its being of the baseline was the former material's"
    world.store_up = True
    world.at(2 * HOUR)
    assert {k.spki for k in world.stored.keys} == {second.spki}
    assert world.entry("K1").served_since_time == T0 + 2 * HOUR
    assert world.entry("K1").safe_since_time is None


def test_r9_keys_without_our_mark_are_not_taken_in() -> None:
    """An empty ledger meets a set that nobody signed, at our own place: its keys are no keys of this cluster."""
    world = one_server("K1")
    world.at(START)
    world.stored = replace(world.stored, keys=(K1, key("evil")), ours=False)
    world.ledger = Ledger()
    world.at(MINUTE)
    assert world.ledger.get("evil") is None
    assert world.published == {"K1"}


def test_r9_a_rebuilt_key_waits_for_the_marks_stale_age() -> None:
    """K2 entered while copies lived for a day; the status was lost and the age is five minutes now."""
    world = one_server("K1")
    world.policy = replace(world.policy, cache_max_age=24 * HOUR)
    world.at(START)
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    world.policy = replace(world.policy, cache_max_age=5 * MINUTE)
    world.wipe_status()
    world.at(2 * HOUR)
    assert world.entry("K2").stale_age == 24 * HOUR


def test_r10_what_signed_before_the_first_complete_pass_is_the_baseline() -> None:
    """The public URL cannot be read at first: K1, which signed before we came, is not early, and safe once served."""
    world = one_server("K1")
    world.wire_up = False
    world.at(START)
    assert Reason.SignedBeforeSafe not in world.reasons()
    world.wire_up = True
    world.at(MINUTE)
    assert Reason.SignedBeforeSafe not in world.reasons()
    assert world.entry("K1").safe_since_time == T0 + MINUTE


def test_r12_an_unreadable_store_deletes_no_entry() -> None:
    """A key that leaves stays in the ledger while nobody can say whether it has left."""
    world = one_server("K1", "K2", signer="K2")
    world.at(START)
    world.servers["A"].keys = [K2]
    world.at(HOUR)
    world.put_fails = True
    world.at(26 * HOUR)
    world.store_up = False
    world.at(27 * HOUR)
    assert world.entry("K1").leaving


def test_r14_a_withdrawn_key_does_not_wait_for_a_second_write() -> None:
    """R6 sends a removal after an addition; a stolen key goes with it."""
    world = one_server("K1", "K2", signer="K1")
    world.at(START)
    world.writes.clear()
    world.servers["A"].keys = [K1, K2, K3]
    world.policy = replace(world.policy, withdrawn_key_ids=frozenset({"K2"}))
    world.at(MINUTE)
    assert [{k.key_id for k in keys} for keys in world.writes] == [{"K1", "K3"}]


def test_times_are_rounded_up_to_whole_seconds() -> None:
    """Every base time errs late."""
    assert whole_second(T0) == T0
    assert whole_second(T0 + timedelta(microseconds=1)) == T0 + SECOND


def test_r8_among_newcomers_the_material_that_signs_enters() -> None:
    """Two sources name one kid with two materials in the same pass, and a token verifies under the second."""
    first, second = key("K1", material="first"), key("K1", material="second")
    world = World(servers={"A": Server([first], second)}, sources={"b": Source([second])})
    world.at(START)
    assert world.stored.keys == (second,)


def test_r11_keys_of_an_old_ledger_displace_no_published_key() -> None:
    """The ledger was set back and holds 99 keys that left long ago: K2, which is listed and waits, stays published."""
    world = one_server("K1")
    world.at(START)
    world.servers["A"].keys = [K1, K2]
    world.at(HOUR)
    gone = replace(world.entry("K2"), published_time=None, served_since_time=None, origins=())
    old = tuple(replace(gone, key=key(f"old{number}")) for number in range(99))
    world.ledger = replace(world.ledger, keys=(*world.ledger.keys, *old))
    world.at(2 * HOUR)
    assert {"K1", "K2"} <= world.published
    assert all(len(keys) <= 100 for keys in world.writes)
