"""What a restart of the operator does not mend: a second operator of the same objects, and passes that come late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from oidc_publisher.api import OIDCIssuer, OIDCIssuerStatus, StatusFinding, StatusPublication
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


def test_a_write_that_came_before_the_own_one_counts_though_both_are_of_the_same_second(
    watchfulness: Watchfulness,
) -> None:
    """One event wakes both operators: the API server refuses the later write, and the object then has the earlier one."""
    watchfulness.read(proven(NOW), NOW)
    found = []
    for number in range(1, 4):
        at = NOW + number * SOON
        watchfulness.wrote(proven(at), proven(at).status)
        watchfulness.refused(proven(at))
        found = reasons(watchfulness, proven(at), at)
    assert found == [Reason.SecondOperator]


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


def alternating(world: World, passes: int, every: timedelta = 6 * MINUTE) -> Iterator[bool]:
    """Let two processes work on the same objects, as two releases in one cluster do; yield what is reported after each pass."""
    operator = world.operator
    both = [operator._reconciler, Reconciler(operator.hub, operator._open, clock=operator, new_nonce=operator._nonce)]
    for number in range(passes):
        operator._reconciler = both[number % 2]
        world.now += every
        world.run_pass()
        yield Reason.SecondOperator in reported(world)


def reported(world: World) -> set[str]:
    return {finding["reason"] for finding in world.operator.hub.issuers[NAME]["status"]["findings"]}


def test_two_operators_at_rest_find_each_other_and_one_finds_nobody() -> None:
    """The real pass: at rest each writes lastProvenTime now and then, which is all that either sees of the other."""
    alone, two = (started(1, named=False, interval=MINUTE) for _ in range(2))
    for _ in range(20):
        alone.now += 6 * MINUTE
        alone.run_pass()
    *_, found = alternating(two, 12)
    assert Reason.SecondOperator not in reported(alone)
    assert found
    (ready,) = [c for c in two.operator.issuer.status.conditions if c.type == "Ready"]
    assert ready.status == "True", "the issuer itself is as good as before"


@pytest.mark.slow
def test_the_one_that_is_found_agrees_in_its_next_pass() -> None:
    """Where their passes are in step, one of them makes all writes at rest: the other would take the finding out each time."""
    world = started(1, named=False, interval=MINUTE)
    said = list(alternating(world, 240, every=MINUTE / 2))
    assert any(said)
    changes = sum(before != after for before, after in pairwise(said))
    assert changes <= 5, "each one is a write: there would be one in each of 240 passes, and not two in an hour"


def test_the_word_of_the_pod_before_proves_nothing_and_that_of_another_process_does(watchfulness: Watchfulness) -> None:
    """A process knows the finding as another's where it has stored, or read, a status without it."""
    issuer = proven(NOW)
    said = StatusFinding(reason=Reason.SecondOperator, severity="Warning", message="m", since_time=NOW)
    left = issuer.model_copy(update={"status": issuer.status.model_copy(update={"findings": (said,)})})
    assert reasons(watchfulness, left) == []
    watchfulness.wrote(issuer, issuer.status)
    assert reasons(watchfulness, left) == [], "the write was refused: the object is as the pod before left it"
    watchfulness.stored(issuer, issuer.status)
    assert reasons(watchfulness, left) == [Reason.SecondOperator]
    assert reasons(watchfulness, left, NOW + HOUR + MINUTE) == [], "from then on it is its own word too"


def test_its_own_word_proves_nothing_though_the_answer_was_lost(watchfulness: Watchfulness) -> None:
    """A write of the finding is noted before it is sent."""
    issuer = proven(NOW)
    said = StatusFinding(reason=Reason.SecondOperator, severity="Warning", message="m", since_time=NOW)
    left = issuer.model_copy(update={"status": issuer.status.model_copy(update={"findings": (said,)})})
    assert reasons(watchfulness, issuer) == []
    watchfulness.wrote(issuer, left.status)
    assert reasons(watchfulness, left) == []


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
