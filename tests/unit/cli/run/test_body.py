"""The body of `run`: on which event loop the operator runs."""

from __future__ import annotations

import asyncio
import gc

import pytest

from oidc_publisher.cli.run import body
from oidc_publisher.controller import operator
from oidc_publisher.controller.settings import RunSettings
from oidc_publisher.telemetry.address import Address
from oidc_publisher.timing.loopturns import turns_of


@pytest.mark.parametrize("address", [None, Address("127.0.0.1", 9090)])
def test_turns_of_the_loop_are_measured_where_metrics_are_served(
    monkeypatch: pytest.MonkeyPatch, address: Address | None
) -> None:
    """Without metrics nobody would read them."""
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)

    async def measured(_: RunSettings) -> int:
        return int(turns_of(asyncio.get_running_loop()) is not None)

    monkeypatch.setattr(operator, "run", measured)
    monkeypatch.setattr("oidc_publisher.telemetry.logs.configure", lambda *_: None)
    assert body.run(RunSettings(metrics_address=address)) == (address is not None)


def test_collections_of_garbage_are_rarer_than_pythons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each full one walks through all that a fleet holds; what a pass leaves behind is collected all the same."""
    set_to: list[tuple[int, ...]] = []
    monkeypatch.setattr(gc, "set_threshold", lambda *thresholds: set_to.append(thresholds))
    monkeypatch.setattr("oidc_publisher.telemetry.logs.configure", lambda *_: None)

    async def nothing(_: RunSettings) -> int:
        return len(set_to)

    monkeypatch.setattr(operator, "run", nothing)
    assert body.run(RunSettings(metrics_address=None)) == 1, "before the operator starts"
    young, middle, full = set_to[0]
    assert young * middle * full > 30 * 700 * 10 * 10
    assert young <= 10_000, "what is garbage stays below a few megabytes"
