"""What a pass makes of the ring: warnings at the issuer, which stays what it was proven to be."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.simulation.operatorprocess import NAME
from tests.simulation.scenario import HOUR, MINUTE, Server, World, key

K1 = key("K1")


def report(world: World, *findings: str, seen: datetime | None = None, lifetime: str = "24h") -> None:
    """Let the signer of node a report now, or at another time."""
    signer = {
        "node": "a",
        "findings": list(findings),
        "lastSeenTime": f"{seen or world.true_now:%Y-%m-%dT%H:%M:%SZ}",
        "maxTokenLifetime": lifetime,
    }
    world.operator.hub.ring = {
        "apiVersion": "oidc-publisher.io/v1alpha1",
        "kind": "SigningKeyRing",
        "metadata": {"name": "default"},
        "status": {"signers": [signer], "versions": [{"version": "11", "keyID": "K1"}]},
    }


def warnings(world: World) -> dict[str, str]:
    """The severity of each finding about the ring."""
    found = world.operator.hub.issuers[NAME]["status"].get("findings", ())
    return {each["reason"]: each["severity"] for each in found if each.get("subject") == "SigningKeyRing default"}


def conditions(world: World) -> dict[str, tuple[str, str]]:
    found: list[dict[str, Any]] = world.operator.hub.issuers[NAME]["status"]["conditions"]
    return {each["type"]: (each["status"], each["reason"]) for each in found}


def proven() -> World:
    """An issuer that has nothing to say."""
    world = World(servers={"A": Server([K1], K1)})
    world.at(timedelta(0))
    world.at(MINUTE)
    return world


def test_a_ring_in_trouble_warns_and_moves_no_condition() -> None:
    """Signers wait for Ready: a finding of theirs that took it away would keep them from ever mending it."""
    world = proven()
    before = conditions(world)
    report(world, "RingReplaced", "RingUnreadable", lifetime="48h")
    world.at(2 * MINUTE)
    assert warnings(world) == dict.fromkeys(("RingReplaced", "RingUnreadable", "TokenOutlivesPolicy"), "Warning")
    assert conditions(world) == before
    report(world)
    world.at(3 * MINUTE)
    assert warnings(world) == {}


def test_a_signer_is_silent_by_a_clock_that_others_share() -> None:
    """The operator's own clock a day ahead makes nobody silent."""
    world = proven()
    report(world)
    world.at(9 * MINUTE)
    assert warnings(world) == {}
    world.at(HOUR)
    assert warnings(world) == {"SignerSilent": "Warning"}
    report(world)
    world.clock_error = 24 * HOUR
    world.at(HOUR + MINUTE)
    assert warnings(world) == {}


def test_an_api_server_that_does_not_answer_for_the_ring_takes_no_name_away() -> None:
    """The issuer is what it was, and so is the number of its key."""
    world = proven()
    report(world)
    world.at(2 * MINUTE)
    named = world.operator.hub.issuers[NAME]["status"]["keys"][0]
    assert (named["version"], named["versionNamed"]) == ("11", True)
    world.operator.hub.ring = None
    world.at(3 * MINUTE)
    assert world.operator.hub.issuers[NAME]["status"]["keys"][0]["version"] == "11"
    assert conditions(world)["Ready"][0] == "True"
