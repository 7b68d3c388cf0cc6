"""An operator that goes by what the watch has shown does what one does that asks each time, whatever happens between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from oidc_publisher.api import Adoption
from tests.simulation.operatorprocess import Crash
from tests.simulation.scenario import Source, World, key
from tests.support.examples import about

NAMES = ("K1", "K2", "K3")
Step = Callable[[World], None]


def _policy(**changes: Any) -> Step:
    def step(world: World) -> None:
        world.policy = replace(world.policy, **changes)

    return step


def _lists(names: list[str]) -> Step:
    def step(world: World) -> None:
        world.sources["keys"].keys = [key(name) for name in names]

    return step


def _adopts(adoption: Adoption) -> Step:
    def step(world: World) -> None:
        world.adoption = adoption

    return step


def _store(*, up: bool) -> Step:
    def step(world: World) -> None:
        world.store_up = up

    return step


def _passes(crash: Crash | None, after: timedelta) -> Step:
    def step(world: World) -> None:
        world.true_now += after
        world.operator.spec = world.wanted()
        world.operator.crash = crash
        world.bucket.up = world.store_up
        world.operator.run()
        world.operator.crash = None

    return step


def _seizes(world: World) -> None:
    """Somebody takes the marks off both documents."""
    for path, stored in tuple(world.bucket.documents.items()):
        world.bucket.overwrite(path, replace(stored.document, metadata={}), world.true_now)


STEPS = st.one_of(
    st.builds(_passes, st.none() | st.sampled_from(Crash), st.sampled_from([timedelta(minutes=1), timedelta(days=2)])),
    st.builds(_passes, st.none(), st.just(timedelta(seconds=30))),
    st.builds(lambda minutes: _policy(cache_max_age=timedelta(minutes=minutes)), st.integers(1, 9)),
    st.builds(_lists, st.lists(st.sampled_from(NAMES), min_size=1, unique=True)),
    st.builds(_adopts, st.sampled_from(Adoption)),
    st.builds(lambda up: _store(up=up), st.booleans()),
    st.just(World.wipe_status),
    st.just(World.restart),
    st.just(_seizes),
    st.just(lambda world: world.operator.recreate()),
    st.just(lambda world: world.operator.let_watch_show()),
)


def _left(world: World) -> tuple[Any, ...]:
    """What others can see, without what is drawn by lot."""
    documents = {
        path: (stored.document.body, stored.document.cache_control) for path, stored in world.bucket.documents.items()
    }
    issuer = world.operator.issuer
    conditions = [(c.type, c.status, c.reason, c.message) for c in issuer.status.conditions]
    return documents, conditions, issuer.status.keys, [finding.reason for finding in issuer.status.findings]


@about(150)
@given(st.lists(STEPS, min_size=3, max_size=14))
def test_what_the_watch_has_shown_changes_no_result(steps: list[Step]) -> None:
    """Two worlds, step by step, of which one has a watch."""
    one, other = (World(sources={"keys": Source([key("K1")])}) for _ in range(2))
    other.operator.watches = False
    other.restart()
    for step in (*steps, _passes(None, timedelta(minutes=1))):
        for world in (one, other):
            step(world)
        assert _left(one) == _left(other)
        assert [[k.key_id for k in keys] for keys in one.writes] == [[k.key_id for k in keys] for keys in other.writes]
    event(f"conflicts: {min(one.operator.hub.conflicts, 3)}")
