"""R10: who signed before the key was safe, and who signed before we came."""

from __future__ import annotations

from oidc_publisher.findings import Reason
from tests.simulation.rulecases import K1, K2, START, found
from tests.simulation.scenario import HOUR, MINUTE, T0, Server, World, one_server


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
