"""R11: never 101 keys of a type, never more than 51,200 bytes, in whatever order keys come and go; the ledger ends too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.findings import Reason, Severity
from oidc_publisher.keys import PublicKey
from oidc_publisher.keys.jwk import published_size_bytes
from oidc_publisher.rotation import State
from oidc_publisher.rotation.listing import MAX_ENTRIES
from oidc_publisher.rotation.publishedset import MAX_KEYS_OF_A_TYPE, MAX_SET_BYTES
from tests.simulation.rulecases import K1, K2, K3, START, numbered, state_of
from tests.simulation.scenario import HOUR, MINUTE, Server, Source, World, key, one_server
from tests.support.examples import about

#: With a kid of so many bytes the JWK of an EC key is as long as that of an RSA-4096 key with a thumbprint.
LONG = 640


def big(number: int) -> PublicKey:
    """A key as large in the set as an RSA-4096 key, which can sign without its cost."""
    return key(f"big-{number:0{LONG}}")


def signing(signer: PublicKey, *listed: PublicKey) -> World:
    """A world of one API server that signs with `signer` and lists `listed` beside it."""
    return World(servers={"A": Server([signer, *listed], signer)})


def size(keys: tuple[PublicKey, ...]) -> int:
    """The bytes of a set of these keys, as the rules count them."""
    return 14 + sum(map(published_size_bytes, keys))


@pytest.mark.slow
def test_r11_while_a_type_is_full_leaving_goes_first() -> None:
    """One of a hundred leaves in the pass in which another waits: 99 are written, then 100, never 101."""
    keys = [key(f"K{n:03}") for n in range(MAX_KEYS_OF_A_TYPE)]
    world = signing(*keys)
    world.at(START)
    assert len(world.published) == MAX_KEYS_OF_A_TYPE
    world.servers["A"] = Server([*keys[:-1], key("new")], keys[0])
    world.at(HOUR)
    assert "new" not in world.published
    world.writes.clear()
    world.every(HOUR, until=26 * HOUR)
    assert [len(written) for written in world.writes] == [MAX_KEYS_OF_A_TYPE - 1, MAX_KEYS_OF_A_TYPE]
    assert "new" in world.published


def test_r11_a_set_of_more_than_51200_bytes_is_never_written() -> None:
    """90 keys of 4096 bits are more than Nimbus and Spring read: those wait for which there is no room."""
    keys = [big(n) for n in range(90)]
    world = signing(*keys)
    world.at(START)
    assert keys[0].key_id in world.published
    assert size(world.writes[-1]) <= MAX_SET_BYTES
    assert size(world.writes[-1]) + published_size_bytes(keys[0]) > MAX_SET_BYTES
    found = [f for f in world.last.findings if f.reason is Reason.TooManyKeys] if world.last else []
    assert [f.severity for f in found] == [Severity.CRITICAL]
    assert "51,200 bytes" in found[0].message
    before = world.published
    world.servers["A"].keys.append(big(200))
    world.at(HOUR)
    assert world.published == before, "who is newly listed displaces nobody"


def test_r11_a_key_that_signs_displaces_one_where_the_bytes_are_full() -> None:
    """First one that is not yet safe; the set is within its bytes in every write."""
    keys = [big(n) for n in range(90)]
    world = signing(*keys)
    world.at(START)
    world.writes.clear()
    signer = big(300)
    world.servers["A"] = Server([*keys, signer], signer)
    world.at(MINUTE)
    assert signer.key_id in world.published
    assert keys[0].key_id in world.published, "it is safe, and its tokens live"
    assert world.writes
    assert all(size(written) <= MAX_SET_BYTES for written in world.writes)


steps = st.lists(
    st.tuples(st.sets(st.integers(0, 75), min_size=1), st.integers(1, 40), st.booleans()), min_size=2, max_size=5
)


@pytest.mark.slow
@about(20)
@given(steps)
def test_r11_no_write_is_above_either_limit_and_none_is_empty(changes: list[tuple[set[int], int, bool]]) -> None:
    """Any sets of keys, one after the other, each for some hours; a signer is always among the published keys."""
    world = signing(big(0))
    at = START
    for listed, hours, mixed in changes:
        keys = [big(n) for n in sorted(listed)] + [key(f"R{n}", algorithm="RS256") for n in listed if mixed]
        world.servers["A"] = Server(keys, keys[0])
        world.at(at)
        at += hours * HOUR
        world.at(at)
        assert keys[0].key_id in world.published
    assert all(written and size(written) <= MAX_SET_BYTES for written in world.writes)


def test_r11_above_ten_keys_is_a_warning_and_the_hundred_and_first_waits() -> None:
    """AWS takes 100 of a type; another type has room of its own."""
    world = World(sources={"a": Source([*numbered(11)])})
    world.at(START)
    found = [f for f in world.last.findings if f.reason is Reason.TooManyKeys]  # type: ignore[union-attr]
    assert [f.severity for f in found] == [Severity.WARNING]
    world.sources["a"].keys = [*numbered(100)]
    world.at(HOUR)
    world.sources["a"].keys = [*numbered(100), key("late"), key("rsa", algorithm="RS256")]
    world.at(2 * HOUR)
    assert "late" not in world.published
    assert "rsa" in world.published
    assert state_of(world, "late") is State.PENDING
    found = [f for f in world.last.findings if f.reason is Reason.TooManyKeys]  # type: ignore[union-attr]
    assert [f.severity for f in found] == [Severity.CRITICAL]


def test_r11_only_a_key_that_signs_displaces_another_never_one_that_signs() -> None:
    """The one not yet safe goes first; 100 are never exceeded."""
    many = numbered(99)
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
    world = World(sources={"a": Source([*numbered(MAX_ENTRIES + 50)])})
    world.at(START)
    assert len(world.ledger.keys) == MAX_ENTRIES


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


@pytest.mark.slow
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
