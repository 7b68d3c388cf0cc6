"""When the rules ask for the next pass, and when a ledger rests."""

from __future__ import annotations

from oidc_publisher.rotation.clock import coarse_end
from tests.simulation.rulecases import K1, K2, START
from tests.simulation.scenario import HOUR, MINUTE, SECOND, T0, one_server


def test_the_next_deadline_is_the_earliest_time_that_changes_the_answer() -> None:
    """The safeToSignTime of a served key, the retireTime of a retiring one; nothing when all is at rest."""
    world = one_server("K1")
    assert world.at(START).wake_at is None
    world.servers["A"].keys = [K1, K2]
    assert world.at(HOUR).wake_at == T0 + 25 * HOUR + 10 * MINUTE


def test_a_resting_ledger_stays_the_same_within_a_coarse_period() -> None:
    """Two passes in the same five minutes of the issuer give equal ledgers: no PATCH."""
    world = one_server("K1")
    world.at(MINUTE)
    begin = coarse_end(world.true_now, world.look().phase) - T0
    world.at(begin)
    world.at(begin + SECOND)
    before = world.ledger
    world.at(begin + 4 * MINUTE)
    assert world.ledger == before
    world.at(begin + 5 * MINUTE)
    assert world.ledger != before, "coarse times move once in a period"
