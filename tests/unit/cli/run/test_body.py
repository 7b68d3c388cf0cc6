"""The body of `run`: on which event loop the operator runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

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

    async def measured(*_: object) -> int:
        return int(turns_of(asyncio.get_running_loop()) is not None)

    _replace(monkeypatch, measured, lambda _: None)
    assert body.run(RunSettings(metrics_address=address)) == (address is not None)


def test_collections_of_garbage_are_rarer_than_pythons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each full one walks through all that a fleet holds; what a pass leaves behind is collected all the same."""
    set_to: list[tuple[int, ...]] = []
    monkeypatch.setattr(gc, "set_threshold", lambda *thresholds: set_to.append(thresholds))
    set_before: list[int] = []

    async def nothing(*_: object) -> int:
        return 0

    _replace(monkeypatch, nothing, lambda _: set_before.append(len(set_to)))
    body.run(RunSettings(metrics_address=None))
    assert set_before == [1], "before anything is imported"
    young, middle, full = set_to[0]
    assert young * middle * full > 30 * 700 * 10 * 10
    assert young <= 10_000, "what is garbage stays below a few megabytes"


def test_the_operator_is_prepared_before_there_is_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its imports would be one turn of it, and a kubeconfig's plugin another one; Ctrl-C ends the process there at once."""
    settings, credentials = RunSettings(metrics_address=None), object()

    def prepare(given: object) -> object:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        assert given is settings
        return credentials

    async def run(*given: object) -> int:
        return 7 if given == (settings, credentials) else 1

    _replace(monkeypatch, run, prepare)
    assert body.run(settings) == 7


def _replace(
    monkeypatch: pytest.MonkeyPatch, run: Callable[..., Coroutine[Any, Any, int]], prepare: Callable[[Any], object]
) -> None:
    """Take the place of the operator's two functions, and leave the log alone."""
    monkeypatch.setattr(operator, "run", run)
    monkeypatch.setattr(operator, "prepare", prepare)
    monkeypatch.setattr("oidc_publisher.telemetry.logs.configure", lambda *_: None)
