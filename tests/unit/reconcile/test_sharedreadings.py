"""Which passes may use what the passes of other issuers have read: those where nothing is asked, due or on its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from oidc_publisher.reconcile.passes import answers_since, caused_s
from oidc_publisher.rotation import Ledger
from oidc_publisher.sources.sharing import SHARED_S
from tests.simulation.keypool import public_key
from tests.simulation.world import HOUR, World, started
from tests.support.statuses import NOW, condition, issuer

K1, K2 = public_key(1), public_key(2)
NOW_S = 1000.0
NEVER = float("inf")


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """One key, listed and safe everywhere."""
    world = started(1, named=False, interval=HOUR)
    world.wait(timedelta(days=3))
    assert world.operator.ledger.settled
    return world.operator.ledger


def since(ledger: Ledger, **status: Any) -> float:
    """Since when answers count for an issuer with that status."""
    return answers_since(issuer(**status), ledger, NOW_S, ours=True)


def test_at_rest_answers_of_the_last_second_count(ledger: Ledger) -> None:
    """No longer: a pass that uses them is one that took a second more."""
    assert since(ledger) == NOW_S - SHARED_S


@pytest.mark.parametrize(
    "status",
    [
        {"conditions": [condition("Ready", "False", "TokenRejected")]},
        {"conditions": [condition("Ready", "Unknown", "APIServerUnreachable")]},
        {"conditions": []},
        {"observedGeneration": 2},
        {"metadata": {"annotations": {"oidc-publisher.io/reconcile-requested-at": "now"}}},
        {
            "metadata": {"annotations": {"oidc-publisher.io/reconcile-requested-at": "now"}},
            "lastHandledReconcileAt": "before",
        },
    ],
)
def test_who_asks_or_changes_gets_what_is_read_after_it(ledger: Ledger, status: dict[str, Any]) -> None:
    """R10: an answer to `wait` rests on nothing that was read before the question."""
    assert since(ledger, **status) == NEVER


def test_a_question_that_is_answered_is_none(ledger: Ledger) -> None:
    """The annotation stays on the object."""
    asked = {"annotations": {"oidc-publisher.io/reconcile-requested-at": "before"}}
    assert since(ledger, metadata=asked, lastHandledReconcileAt="before") == NOW_S - SHARED_S


@pytest.mark.parametrize("caused", [NOW_S - 0.3, NOW_S - 5.0])
def test_a_change_is_never_answered_by_what_was_read_before_it(ledger: Ledger, caused: float) -> None:
    """The thousand issuers that one ConfigMap wakes may share what the first of them has read since."""
    token = caused_s.set(caused)
    try:
        assert since(ledger) == max(caused, NOW_S - SHARED_S)
    finally:
        caused_s.reset(token)


@pytest.mark.parametrize(
    "change",
    [
        {"known_to_caches": False},
        {"safe_since_time": None},
        {"unlisted_by": ("a:6443",)},
        {"origins": ()},
        {"unused_since_time": NOW},
        {"retire_time": NOW},
        {"leaving": True},
        {"material_changed": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_while_a_key_is_on_its_way_everything_is_read_anew(ledger: Ledger, change: dict[str, Any]) -> None:
    """No permission (R15) and no retirement (R5) rests on an answer that another pass asked for."""
    (entry,) = ledger.keys
    assert since(replace(ledger, keys=(replace(entry, **change),))) == NEVER
    assert since(replace(ledger, keys=(entry, replace(entry, key=K2, **change)))) == NEVER


def test_without_keys_nothing_is_at_rest() -> None:
    """An issuer that has found no key looks for itself."""
    assert since(Ledger()) == NEVER


def since_of_new(**status: Any) -> float:
    """Since when answers count for an issuer as the watch has shown it, which nobody has looked at."""
    return answers_since(issuer(observedGeneration=None, conditions=[], **status), Ledger(), NOW_S, shown=True)


def test_a_thousand_new_issuers_share_one_reading_of_their_config_map() -> None:
    """None of them has anything that could be lost by what changes within the second."""
    assert since_of_new() == NOW_S - SHARED_S


def test_a_new_issuer_gets_what_is_read_after_it_was_made_or_asked() -> None:
    """A key that left its ConfigMap before the object was made is never published."""
    assert since_of_new(metadata={"annotations": {"oidc-publisher.io/reconcile-requested-at": "now"}}) == NEVER
    token = caused_s.set(NOW_S - 0.3)
    try:
        assert since_of_new() == NOW_S - 0.3
    finally:
        caused_s.reset(token)


@dataclass
class Case:
    """What happens between the reading of a neighbour and the pass that follows within the second."""

    happens: Callable[[World], None]
    shared: bool


def _asks(world: World) -> None:
    found = world.operator.hub.issuers["simulated"]
    found["metadata"]["annotations"] = {"oidc-publisher.io/reconcile-requested-at": "now"}


def _restores(world: World) -> None:
    """A backup that nobody has changed since: all but the process looks as before."""
    world.set_status(world.operator.status)
    world.operator.restart()


CASES = {
    "nothing": Case(lambda _: None, shared=True),
    "a second": Case(lambda world: world.wait(timedelta(seconds=2)), shared=False),
    "a question": Case(_asks, shared=False),
    "a new process": Case(_restores, shared=False),
    "a change of the spec": Case(lambda world: world.set_spec(cache_max_age=timedelta(minutes=7)), shared=False),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_pass_itself_keeps_to_it(case: Case) -> None:
    """A key that was added after the neighbour's reading: the pass sees it, unless nobody had a reason to look."""
    world = started(1, named=False, interval=HOUR)
    world.wait(timedelta(days=3))
    world.operator.let_neighbour_read()
    next(iter(world.cluster.servers.values())).files = [K1, K2]
    case.happens(world)
    world.run_pass()
    assert (world.operator.ledger.get(K2.key_id) is None) is case.shared
    world.run_pass()
    world.wait(timedelta(hours=2))
    assert world.operator.ledger.get(K2.key_id) is not None
