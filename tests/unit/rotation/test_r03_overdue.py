"""R3 and R10: a time that has come is no permission, and nothing that people read says that it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oidc_publisher.findings import Reason
from tests.simulation.scenario import HOUR, MINUTE, World, key, one_server

K1, K2 = key("K1"), key("K2")
KNOWN = 24 * HOUR + 10 * MINUTE  # from the first look that shows K2 until every cache knows it
DUE = "2026-01-02T01:10:00Z"


def unseen(world: World, reason: Reason) -> tuple[str, str]:
    """What is said of K2 while it waits, and when its time has come and the public URL cannot be read."""
    world.at(HOUR)
    before = said(world, reason)
    world.wire_up = False
    world.every(HOUR, until=HOUR + KNOWN + 2 * HOUR)
    assert world.entry("K2").safe_since_time is None
    return before, said(world, reason)


def said(world: World, reason: Reason) -> str:
    """The message of the finding about K2."""
    assert world.last is not None
    (finding,) = (f for f in world.last.findings if f.reason is reason)
    return finding.message


@pytest.mark.parametrize(("signs", "reason"), [(False, Reason.PrePublishing), (True, Reason.SignedBeforeSafe)])
def test_a_key_whose_time_has_come_unseen_is_not_said_to_be_safe(*, signs: bool, reason: Reason) -> None:
    """Safe from a time in the past would read as safe now; until then the time is all there is to say."""
    world = one_server("K1")
    world.at(timedelta(0))
    world.servers["A"].keys = [K1, K2]
    if signs:
        world.servers["A"].signer = K2
    before, after = unseen(world, reason)
    assert f"from {DUE}" in before
    assert f"from {DUE}" not in after
    assert after.endswith(f"as soon as the public URL shows it again (its time came at {DUE}).")


def test_an_age_that_is_over_is_not_named_any_more() -> None:
    """It has been waited for: what is left to wait for is a look."""
    world = one_server("K1")
    world.at(timedelta(0))
    world.servers["A"].keys = [K1, K2]
    world.wire_age = 12 * HOUR
    world.at(HOUR)
    assert "for copies of 12h" in said(world, Reason.PrePublishing)
    world.wire_up = False
    world.every(HOUR, until=40 * HOUR)
    assert said(world, Reason.PrePublishing).endswith(
        "as soon as the public URL shows it again (its time came at 2026-01-02T13:05:00Z)."
    )


def test_it_is_said_once_more_when_it_is_seen() -> None:
    """The pass that sees it again is the one in which it becomes safe: nothing is left to say."""
    world = one_server("K1")
    world.at(timedelta(0))
    world.servers["A"].keys = [K1, K2]
    unseen(world, Reason.PrePublishing)
    world.wire_up = True
    result = world.at(HOUR + KNOWN + 3 * HOUR)
    assert world.entry("K2").safe_since_time is not None
    assert not [f for f in result.findings if f.reason is Reason.PrePublishing]
