"""docs/how-to/publish-the-next-key-first.md, on platforms that sign with a new key as soon as they have it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oidc_publisher.findings import Reason
from tests.simulation.scenario import HOUR, MINUTE, Server, Source, World, key

OLD, NEW = key("OLD"), key("NEW")
#: What the page promises with the defaults.
KNOWN = 24 * HOUR + 10 * MINUTE


def published_first(servers: int) -> World:
    """A platform that signs with OLD, and a ConfigMap with NEW that every cache knows when the wait of the page ends."""
    world = World(servers={name: Server([OLD], OLD) for name in "ABC"[:servers]})
    world.at(timedelta(0))
    world.sources["next"] = Source([NEW])
    world.at(HOUR)
    world.every(HOUR, until=HOUR + KNOWN)
    assert world.entry("NEW").known_to_caches
    return world


@pytest.mark.parametrize("servers", [1, 3])
def test_the_wait_of_the_page_ends_where_the_permission_does_not_come(servers: int) -> None:
    """Several API servers that do not list the key keep the permission back, and the page says what is expected then."""
    world = published_first(servers)
    assert (world.entry("NEW").safe_since_time is None) is (servers > 1)
    assert Reason.KeyUnknownToAPIServer in world.reasons()
    assert (Reason.KeyUnlistedSomewhere in world.reasons()) is (servers > 1)


@pytest.mark.parametrize("keeps_old", [True, False], ids=["old key accepted", "old key thrown away"])
def test_no_key_signs_early_when_it_was_published_first(keeps_old: bool) -> None:
    """Server after server signs at once; outside nobody has to refuse anything, and the old key stays for its tokens."""
    world = published_first(3)
    for hour, server in enumerate(world.servers.values(), start=27):
        server.keys, server.signer = ([NEW, OLD] if keeps_old else [NEW]), NEW
        world.at(hour * HOUR)
        assert Reason.SignedBeforeSafe not in world.reasons()
        assert world.published == {"OLD", "NEW"}
    del world.sources["next"]
    world.every(HOUR, until=40 * HOUR)
    assert world.published == {"OLD", "NEW"}, "the API servers list it now"


def test_the_same_without_the_page_signs_early() -> None:
    """What the platform's own procedure does: the test above can fail."""
    world = World(servers={name: Server([OLD], OLD) for name in "ABC"})
    world.at(timedelta(0))
    world.servers["A"].keys, world.servers["A"].signer = [NEW, OLD], NEW
    world.at(HOUR)
    assert Reason.SignedBeforeSafe in world.reasons()
