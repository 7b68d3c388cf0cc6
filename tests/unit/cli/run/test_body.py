"""The body of `run`: on which event loop the operator runs."""

from __future__ import annotations

import asyncio

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

    async def measured(_: RunSettings) -> int:
        return int(turns_of(asyncio.get_running_loop()) is not None)

    monkeypatch.setattr(operator, "run", measured)
    monkeypatch.setattr("oidc_publisher.telemetry.logs.configure", lambda *_: None)
    assert body.run(RunSettings(metrics_address=address)) == (address is not None)
