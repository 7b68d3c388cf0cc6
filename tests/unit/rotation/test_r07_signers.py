"""R7: a key that a present API server signs with never leaves."""

from __future__ import annotations

from oidc_publisher.findings import Reason
from oidc_publisher.rotation import signing_key_ids
from oidc_publisher.rotation.signing import MAX_ENDPOINTS
from tests.simulation.rulecases import K1, K2, START, found
from tests.simulation.scenario import HOUR, T0, Server, Source, World, one_server


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


def test_r7_the_latest_token_of_a_silent_endpoint_is_remembered() -> None:
    """B does not answer and is still in the EndpointSlice: it counts with the kid that it last signed with."""
    world = World(servers={"A": Server([K1, K2], K2), "B": Server([K1, K2], K1)})
    world.at(START)
    world.servers["B"].up = False
    world.at(HOUR)
    assert signing_key_ids(world.ledger) == {"K1", "K2"}


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


def test_r7_an_api_server_is_gone_too_when_its_source_leaves_the_spec() -> None:
    """No EndpointSlice is spoken of: the spec may name addresses, or no API server at all."""
    world = one_server("K1")
    world.at(START)
    world.servers = {}
    world.sources["cm"] = Source([K1])
    world.at(HOUR)
    (gone,) = found(world, Reason.EndpointGone)
    assert gone.message.startswith("API server A is no longer one of this issuer's (gone since 2026-01-01T01:00:00Z;")
