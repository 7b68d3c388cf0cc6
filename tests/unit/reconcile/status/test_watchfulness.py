"""What a restart of the operator does not mend: a second operator of the same objects, and passes that come late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from oidc_publisher.api import OIDCIssuer, OIDCIssuerStatus, StatusPublication
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.reconciler import Reconciler
from oidc_publisher.reconcile.status.watchfulness import Watchfulness, waited_s
from tests.simulation.operatorprocess import NAME
from tests.simulation.world import HOUR, MINUTE, World, started
from tests.support.builders import NOW, issuer_of

SOON = timedelta(minutes=5)


@pytest.fixture
def watchfulness() -> Watchfulness:
    return Watchfulness()


@pytest.fixture(autouse=True)
def no_wait() -> Iterator[None]:
    """Nothing has waited, unless a test says so."""
    token = waited_s.set(0)
    yield
    waited_s.reset(token)


def proven(at: datetime, *, serial: int = 1, interval: str = "1m", uid: str = "u-1") -> OIDCIssuer:
    status = OIDCIssuerStatus(last_proven_time=at, publication=StatusPublication(serial=serial))
    issuer = issuer_of(metadata={"name": "prod", "uid": uid}, interval=interval)
    return issuer.model_copy(update={"status": status})


def reasons(watchfulness: Watchfulness, issuer: OIDCIssuer, now: datetime = NOW) -> list[Reason]:
    return [finding.reason for finding in watchfulness.read(issuer, now)]


def test_a_status_that_another_process_moves_on_again_and_again_is_a_second_operator(
    watchfulness: Watchfulness,
) -> None:
    """Once may be the last write of the pod before; an hour after its last three writes it is forgotten."""
    found = []
    for number in range(4):
        at = NOW + number * SOON
        found.append(reasons(watchfulness, proven(at), at))
    assert found == [[], [], [], [Reason.SecondOperator]]
    last = proven(NOW + 3 * SOON)
    assert reasons(watchfulness, last, NOW + SOON + HOUR) == [Reason.SecondOperator]
    assert reasons(watchfulness, last, NOW + SOON + HOUR + MINUTE) == []


def test_its_own_writes_are_nobody_elses_whether_their_answer_came_or_not(watchfulness: Watchfulness) -> None:
    """A write is noted before it is sent."""
    watchfulness.read(proven(NOW), NOW)
    for number in range(1, 9):
        issuer = proven(NOW + number * SOON, serial=number)
        watchfulness.wrote(issuer, issuer.status)
        assert reasons(watchfulness, issuer, NOW + number * SOON) == []


def test_writes_of_documents_count_where_nothing_is_proven(watchfulness: Watchfulness) -> None:
    """A serial that this process never wrote."""
    for number in range(1, 4):
        assert reasons(watchfulness, proven(NOW, serial=number)) == []
    assert reasons(watchfulness, proven(NOW, serial=4)) == [Reason.SecondOperator]


def test_an_old_status_that_somebody_puts_back_is_no_second_operator(watchfulness: Watchfulness) -> None:
    """Nor is one that somebody wipes, nor another object of the same name."""
    for _ in range(5):
        assert reasons(watchfulness, proven(NOW, serial=9)) == []
        assert reasons(watchfulness, proven(NOW - HOUR, serial=3)) == []
    for number in range(5):
        assert reasons(watchfulness, proven(NOW + number * SOON, uid=f"u-{number}")) == []


def alternating(world: World, passes: int) -> None:
    """Let two processes work on the same objects, as two releases in one cluster do."""
    operator = world.operator
    both = [operator._reconciler, Reconciler(operator.hub, operator._open, clock=operator, new_nonce=operator._nonce)]
    for number in range(passes):
        operator._reconciler = both[number % 2]
        world.now += 6 * MINUTE
        world.run_pass()


def reported(world: World) -> set[str]:
    return {finding["reason"] for finding in world.operator.hub.issuers[NAME]["status"]["findings"]}


def test_two_operators_at_rest_find_each_other_and_one_finds_nobody() -> None:
    """The real pass: at rest each writes lastProvenTime now and then, which is all that either sees of the other."""
    alone, two = (started(1, named=False, interval=MINUTE) for _ in range(2))
    for _ in range(20):
        alone.now += 6 * MINUTE
        alone.run_pass()
    alternating(two, 12)
    assert Reason.SecondOperator not in reported(alone)
    assert Reason.SecondOperator in reported(two)
    (ready,) = [c for c in two.operator.issuer.status.conditions if c.type == "Ready"]
    assert ready.status == "True", "the issuer itself is as good as before"


def test_passes_that_wait_longer_than_an_interval_are_late_until_they_wait_less_than_half(
    watchfulness: Watchfulness,
) -> None:
    """In between nothing changes, for each change is a write."""
    issuer = proven(NOW, interval="5m")
    found = []
    for waited in (299, 301, 200, 151, 149, 200):
        waited_s.set(waited)
        found.append(reasons(watchfulness, issuer))
    late = [Reason.PassesLate]
    assert found == [[], late, late, late, [], []]


def test_a_short_interval_is_no_reason_to_call_a_busy_moment_late(watchfulness: Watchfulness) -> None:
    """Below a minute nothing is late."""
    waited_s.set(59)
    assert reasons(watchfulness, proven(NOW, interval="10s")) == []
