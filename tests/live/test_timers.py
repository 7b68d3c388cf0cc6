"""Timers on an idle operator: a key becomes safe, or leaves, at its time, long before the next interval.

The issuer reads an API server and a ConfigMap, its interval is the longest there is, and nothing changes while it waits:
the passes that are seen were started by the rotation's own deadlines. Periods are seconds. There is one API server only:
where there are two, what the ConfigMap alone lists is never safe (R15).
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.live.places import served
from tests.support.operatorprocess import OperatorProcess
from tests.support.signingkeys import SigningKey, signing_key
from tests.support.stage import Object, Stage

pytestmark = pytest.mark.timeout(240)

#: `make bench` measures how late a timer is (0.1 to 0.2 s at rest). On a machine at load 8 a pass alone takes seconds; the
#: next interval is a day away.
LATE_S = 5.0
PATTERN = r"service-account-(?P<version>[0-9]+)\.pub"
#: cacheMaxAge is 2 s: safe 6 s after it is served, gone 5 s after it is unused.
ROTATION = {"prePublishPeriod": "3s", "maxTokenLifetime": "4s", "clockSkew": "1s"}
KEYS = [signing_key("P-256", f"timers-{number}") for number in range(5)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An API server, S3, a talkative operator, and an issuer that is not due for a day."""
    with Stage(tmp_path_factory.mktemp("stage"), servers=1) as running:
        running.apply_crd()
        running.operator = running.make_operator("--log-level=debug")
        running.operator.start()
        write(running, KEYS[0])
        named = {"namespace": "default", "name": "signers", "entryPattern": PATTERN}
        sources: list[Object] = [{"name": "api", "apiServer": {}}, {"name": "map", "configMap": named}]
        running.apply(running.issuer(interval="24h", keySources=sources, rotation=ROTATION))
        running.wait_ready()
        # The first key of the ConfigMap waits as well, for it does not sign (R3): a deadline that no test speaks of.
        running.wait(lambda s: all(k.get("safeSinceTime") for k in s["keys"]), what="the first keys are safe")
        yield running


def write(stage: Stage, *keys: SigningKey) -> None:
    """Make the ConfigMap hold exactly these; an entry's number is the key's place among all of them."""
    data = {f"service-account-{KEYS.index(key):03d}.pub": key.public_pem.decode() for key in keys}
    metadata = {"namespace": "default", "name": "signers"}
    stage.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def test_a_key_becomes_safe_and_another_leaves_at_their_times(stage: Stage) -> None:
    """Three rotations in a row; each wait is one pass, which a deadline has started, and no other."""
    late: dict[str, list[float]] = {"safe": [], "gone from the public URL": []}
    for old, new in itertools.pairwise(KEYS[:4]):
        write(stage, old, new)
        late["safe"].append(lateness_of_safety(stage, new))
        write(stage, new)
        late["gone from the public URL"].append(lateness_of_leaving(stage, old))
    for what, seconds in late.items():
        print(f"\n{what}: {', '.join(f'{one:.3f}' for one in seconds)} s late")  # noqa: T201 - what was measured
        assert all(0 <= one <= LATE_S for one in seconds), what


def test_a_restarted_operator_keeps_the_deadlines(stage: Stage) -> None:
    """It is killed while a key waits, and again while one retires: the times of the ledger hold."""
    longer = {"prePublishPeriod": "20s", "maxTokenLifetime": "20s"}  # than a process takes to start
    stage.cluster.patch("oidc-publisher.io/v1alpha1", "OIDCIssuer", "prod", {"spec": {"rotation": longer}})
    stage.wait_ready()
    old, new = KEYS[3:]
    write(stage, old, new)
    wait_for_time(stage, new, "safeToSignTime")
    safe_at = time_of(stage, new, "safeToSignTime")
    stage.operator.restart()
    late = [lateness_of_safety(stage, new, alone=False)]
    assert time_of(stage, new, "safeToSignTime") == safe_at
    write(stage, new)
    wait_for_time(stage, old, "retireTime")
    stage.operator.restart()
    late.append(lateness_of_leaving(stage, old, alone=False))
    print(f"\nsafe, gone: {', '.join(f'{one:.3f}' for one in late)} s late")  # noqa: T201 - what was measured
    assert all(0 <= one <= LATE_S for one in late)


def lateness_of_safety(stage: Stage, key: SigningKey, *, alone: bool = True) -> float:
    """How long after its safeToSignTime the status calls the key safe; `alone`: after one pass by a deadline."""
    wait_for_time(stage, key, "safeToSignTime")
    passes = settled_passes(stage)
    at = moment(lambda: time_of(stage, key, "safeSinceTime"), "it is safe")
    due = time_of(stage, key, "safeToSignTime")
    assert due is not None
    # Written times are rounded up to whole seconds, so what is written may lie that much ahead.
    assert due <= (time_of(stage, key, "safeSinceTime") or 0) <= math.ceil(at)
    if alone:
        assert new_passes(stage, passes) == ["deadline"]
    return at - due


def lateness_of_leaving(stage: Stage, key: SigningKey, *, alone: bool = True) -> float:
    """How long after its retireTime the key is gone from the public URL; then the ledger forgets it, with an event."""
    wait_for_time(stage, key, "retireTime")
    due = time_of(stage, key, "retireTime")
    assert due is not None
    passes = settled_passes(stage)
    at = moment(lambda: key.kid not in served(stage), "it is gone")
    stage.wait(lambda s: key.kid not in {k["keyID"] for k in s["keys"]}, what="the ledger forgets it", timeout_s=5)
    if alone:
        assert new_passes(stage, passes) == ["deadline"]
    moment(lambda: retirement_is_told(stage, key), "its event")  # which follows the status
    return at - due


def retirement_is_told(stage: Stage, key: SigningKey) -> bool:
    """Whether an event says that the key has left."""
    events = stage.cluster.list_all("events.k8s.io/v1", "Event", "default")
    return any(event["reason"] == "KeyRetired" and key.kid in event["note"] for event in events)


def moment(holds: Callable[[], Any], what: str) -> float:
    """The wall clock after the first look at which it holds."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if holds():
            return time.time()
        time.sleep(0.005)
    raise AssertionError(f"not within 30 s: {what}")


def wait_for_time(stage: Stage, key: SigningKey, name: str) -> None:
    """Wait until the status states this time of the key."""
    moment(lambda: time_of(stage, key, name), f"{name} is known")


def time_of(stage: Stage, key: SigningKey, name: str) -> float | None:
    """A time of the key in the status, in seconds since the epoch."""
    keys = stage.get()["status"]["keys"]
    text = next((str(found[name]) for found in keys if found["keyID"] == key.kid and name in found), None)
    return datetime.fromisoformat(text).timestamp() if text else None


def settled_passes(stage: Stage) -> int:
    """How many passes were logged, once no more have come for a second."""
    count = -1
    while count != (count := len(passes_of(stage.operator))):
        time.sleep(1)
    return count


def new_passes(stage: Stage, before: int) -> list[str]:
    """Why each of the passes since then was run."""
    return [why for whys in passes_of(stage.operator)[before:] for why in whys]


def passes_of(operator: OperatorProcess) -> list[list[str]]:
    """Why each pass was run, from the log."""
    lines = (line for line in operator.log().splitlines() if '"reconcile"' in line)
    return [found["why"] for line in lines if (found := json.loads(line))["message"] == "reconcile"]
