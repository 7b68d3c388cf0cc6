"""What the watch shows of objects that nobody has looked at serves one pass, which finds out whether they were changed since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from oidc_publisher.errors import AnswerError
from oidc_publisher.findings import Reason
from oidc_publisher.reconcile.status.newissuers import NewIssuers, may_serve
from oidc_publisher.rotation import StoreState
from tests.simulation.operatorprocess import NAME
from tests.simulation.scenario import Source, World, key

DEFAULT = {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "WaitingForOperator"}]}
BY_NAME = {"name": "keys", "configMap": {"namespace": "keys", "name": "keys", "entryPattern": ".*"}}
IN_S3 = {"s3": {"bucket": "example", "region": "eu-west-1"}}
SPEC = {"issuerURL": "https://oidc.example.com/prod", "store": IN_S3, "keySources": [BY_NAME]}


def found(version: str | None = "7", *, deleted: bool = False, **more: Any) -> dict[str, Any]:
    """An object as the watch shows it."""
    metadata = {"name": "prod", "uid": "u", **({"resourceVersion": version} if version else {})}
    if deleted:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": metadata, "spec": SPEC, **more}


def test_an_object_serves_one_pass() -> None:
    """The next one asks the API server."""
    new = NewIssuers()
    new.show(found(status=DEFAULT))
    assert new.take("prod") == found(status=DEFAULT)
    assert new.take("prod") is None


def test_an_object_that_was_changed_or_deleted_is_asked_for() -> None:
    """A pass over what was shown first would be refused."""
    new = NewIssuers()
    new.show(found())
    new.forget("prod")
    new.forget("prod")
    assert new.take("prod") is None


def test_of_two_objects_of_one_name_the_first_one_is_not_kept() -> None:
    """The watch shows another UID where a deletion was missed."""
    new = NewIssuers()
    new.show(found("7"))
    new.show(found("9", status={"keys": []}))
    assert new.take("prod") is None


@pytest.mark.parametrize("status", [None, {}, DEFAULT])
def test_an_object_as_the_api_server_makes_it_serves(status: dict[str, Any] | None) -> None:
    """The CRD has a default for the status, by which kubectl shows that no operator has looked."""
    assert may_serve(found(status=status))


@pytest.mark.parametrize("member", ["keys", "publication", "observedGeneration", "plan"])
def test_an_object_of_which_anything_is_known_does_not(member: str) -> None:
    """A status that somebody restored from a backup has a ledger."""
    assert not may_serve(found(status=DEFAULT | {member: {}}))


def test_an_object_without_a_version_or_with_its_end_does_not() -> None:
    """Nothing would refuse a write; the last pass over an object may delete documents before its first write."""
    assert not may_serve(found(None))
    assert not may_serve(found(deleted=True))


@pytest.mark.parametrize(
    "spec",
    [
        SPEC | {"keySources": [BY_NAME, {"name": "api", "apiServer": {}}]},
        SPEC | {"keySources": [{"name": "api", "apiServer": {"kubeconfigSecret": {"namespace": "a", "name": "b"}}}]},
        SPEC | {"keySources": []},
        {name: member for name, member in SPEC.items() if name != "keySources"},
        SPEC | {"store": {"s3": IN_S3["s3"] | {"cloudFront": {"distributionID": "E1"}}}},
    ],
    ids=["api server", "remote cluster", "no source", "default source", "distribution"],
)
def test_an_object_whose_pass_does_more_than_read_before_its_first_write_is_asked_for(spec: dict[str, Any]) -> None:
    """Tokens are minted, kubeconfigs used and copies dropped by what the object says now."""
    assert may_serve(found())
    assert not may_serve(found(spec=spec))


@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        SPEC | {"keySources": {}},
        SPEC | {"keySources": ["api"]},
        SPEC | {"keySources": [{"oracle": {}}]},
        SPEC | {"store": None},
        SPEC | {"store": {"s3": []}},
        SPEC | {"store": {"s3": "bucket"}},
    ],
)
def test_an_object_that_is_not_understood_is_asked_for(spec: object) -> None:
    """A newer CRD admits what this version does not know."""
    assert not may_serve(found(spec=spec))


@dataclass
class Asked:
    """How often the object was asked for."""

    gets: int = 0

    def __call__(self, method: str, path: str) -> None:
        """Count a request."""
        self.gets += method == "GET" and path.endswith(f"/oidcissuers/{NAME}")


@pytest.fixture
def world() -> World:
    """A cluster whose operator has just listed the new object, whose keys are in a ConfigMap."""
    return World(sources={"keys": Source([key("K1")])})


def test_the_first_pass_over_a_new_object_does_not_ask_for_it(world: World) -> None:
    """A thousand new ones cost the API server a thousand requests less; all that the pass leaves is as it was."""
    asked = world.operator.hub.before = Asked()
    world.run()
    assert (asked.gets, world.published) == (0, {"K1"})
    world.at(timedelta(minutes=1))
    assert asked.gets == 1


def test_an_object_that_was_changed_since_it_was_shown_publishes_nothing(world: World) -> None:
    """The pass that begins anew publishes what the object says now."""
    hub, ages = world.operator.hub, set()
    asked = hub.before = Asked()
    world.bucket.on_write = lambda _path, _before, after: ages.add(after.cache_control)
    world.policy = replace(world.policy, cache_max_age=timedelta(minutes=7))
    world.run()
    assert (hub.conflicts, asked.gets) == (1, 1)
    assert ages == {"public, max-age=420"}
    assert world.published == {"K1"}


def test_what_the_watch_shows_counts_only_while_the_operator_may_get_objects(world: World) -> None:
    """Without that right an issuer would become Ready by its first pass, and no later one could say that it is not."""
    hub = world.operator.hub

    def refused(method: str, path: str) -> None:
        if method == "GET" and "/oidcissuers/" in path:
            raise AnswerError(Reason.InternalError, "it is forbidden", status=403)

    hub.before = refused
    world.operator.restart()
    world.operator.run()
    assert (world.operator.status, world.stored.state) == ({}, StoreState.ABSENT)
    hub.before = lambda *_: None
    world.operator.run()
    assert world.published == {"K1"}
    hub.before = refused
    world.operator.run()
    world.operator.recreate()
    world.operator.let_watch_show()
    world.operator.run()
    assert world.operator.status == {}, "the right was taken away"


def test_an_object_from_before_a_backup_makes_nobody_a_second_operator(world: World) -> None:
    """The backup says that there were two. A pass over the object as it was shown first has seen nothing of that."""
    world.run()
    two = {"reason": "SecondOperator", "severity": "Warning", "message": "Another process writes too"}
    backup = {**world.operator.status, "findings": [two]}
    world.wipe_status()
    world.restart()
    world.operator.set_status(backup)
    world.operator.run()
    assert world.operator.hub.conflicts == 1
    assert "SecondOperator" not in {finding.reason for finding in world.operator.issuer.status.findings}
