"""Versions are numbers: where they come from, and in which order keys stand by them."""

from __future__ import annotations

from typing import Any

from oidc_publisher.findings import Finding, Reason
from tests.simulation.rulecases import K1, K2, START
from tests.simulation.scenario import HOUR, MINUTE, Server, Source, World, key


def claims(world: World, **versions: str) -> None:
    """Let the status of the SigningKeyRing claim these versions, by key ID."""
    claimed = [{"version": version, "keyID": key_id} for key_id, version in versions.items()]
    world.operator.hub.ring = {
        "apiVersion": "oidc-publisher.io/v1alpha1",
        "kind": "SigningKeyRing",
        "metadata": {"name": "default"},
        "status": {"versions": claimed},
    }


def numbers(world: World) -> dict[str, Any]:
    """The version of each key in the status, newest first."""
    return {entry["keyID"]: entry["version"] for entry in world.operator.status["keys"]}


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


def test_a_ring_names_the_keys_that_it_claims_and_lists_none() -> None:
    """The API server's key set has no versions; a key that no source lists is not there, whatever the ring says."""
    world = World(servers={"A": Server([K1, K2], K1)})
    world.at(START)
    assert numbers(world) == {"K2": "2", "K1": "1"}
    claims(world, K1="11", K2="9", K3="12")
    world.at(MINUTE)
    assert numbers(world) == {"K1": "11", "K2": "9"}
    assert all(world.entry(name).version_named for name in ("K1", "K2"))
    assert world.published == {"K1", "K2"}
    world.servers["A"].keys = [K1, K2, key("K4")]
    world.at(2 * MINUTE)
    assert world.entry("K4").version == 12, "the next number of the ledger, until the ring claims it"


def test_a_name_stays_when_the_ring_cannot_be_read_and_when_the_key_is_listed_no_more() -> None:
    """A key that only verifies is excluded from the key set of the API servers, and retires."""
    world = World(servers={"A": Server([K1, K2], K1)})
    claims(world, K1="11", K2="10")
    world.at(START)
    world.operator.hub.ring = None
    world.servers["A"].keys = [K1]
    world.at(HOUR)
    assert numbers(world) == {"K1": "11", "K2": "10"}
    world.wipe_status()
    claims(world, K1="11", K2="10")
    world.at(2 * HOUR)
    assert numbers(world) == {"K1": "11", "K2": "10"}, "the key of the stored documents alone is named as well"


def test_an_entrys_own_name_comes_before_that_of_the_ring() -> None:
    """The entry is what the admin sees."""
    world = World(sources={"cm": Source([K1], entries={"K1": ("7.pub", 7)})}, servers={"A": Server([K1], K1)})
    claims(world, K1="11")
    world.at(START)
    assert numbers(world) == {"K1": "7"}


def test_a_ring_of_an_issuer_that_reads_no_api_server_is_not_asked() -> None:
    """Its keys are another cluster's."""
    world = World(sources={"cm": Source([K1])})
    claims(world, K1="11")
    world.at(START)
    assert numbers(world) == {"K1": "1"}


def conflicts(world: World) -> list[Finding]:
    """What is told of versions that are other ones than before."""
    assert world.last is not None
    return [event for event in world.last.events if event.reason is Reason.VersionConflict]


def test_a_key_that_another_one_has_taken_the_number_of_is_told_once() -> None:
    """After a restore of etcd two keys were 11, and the signers have settled it before anybody looked."""
    world = World(servers={"A": Server([K1, K2], K1)})
    claims(world, K1="10")
    world.at(START)
    claims(world, K1="10", K2="11")
    world.at(MINUTE)
    assert conflicts(world) == [], "an assigned number was nobody's name"
    claims(world, K1="10", K2="12")
    world.at(2 * MINUTE)
    (event,) = conflicts(world)
    assert (event.subject, event.message) == ("K2", "Key K2 was version 11 and is version 12 now.")
    world.at(3 * MINUTE)
    assert conflicts(world) == []
