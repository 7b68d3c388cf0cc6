"""A pass ends at its deadline, and the object says so without losing what it knows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oidc_publisher.reconcile.passes import Outcome, PassLateError, in_time
from oidc_publisher.stores.memory import MemoryStore
from oidc_publisher.stores.port import StoredDocument
from oidc_publisher.telemetry.steps import Step
from tests.support.memorypass import memory_pass
from tests.support.signingkeys import signing_key

if TYPE_CHECKING:
    from tests.support.pki import PKI


class HangingStore(MemoryStore):
    """A store that answers until it hangs; `hung` says whether somebody waits."""

    hangs = False
    hung = 0

    async def read(self, path: str) -> StoredDocument | None:
        """Answer, or never."""
        if self.hangs:
            self.hung += 1
            try:
                await asyncio.sleep(3600)
            finally:
                self.hung -= 1
        return await super().read(path)


async def test_a_pass_that_hangs_is_ended_and_the_last_good_holds(
    pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ready stays for three intervals, as with all that could not be asked; nothing waits any more, and it heals by itself."""
    store = HangingStore()
    async with memory_pass(pki, tmp_path, store) as world:
        world.write_keys([signing_key().public_pem])
        await world.run()
        assert world.api.condition("Ready")[0] == "True"
        keys = world.api.raw["status"]["keys"]
        monkeypatch.setattr("oidc_publisher.reconcile.passes.PASS_S", 0.2)
        store.hangs = True
        outcome = await world.run()
        assert isinstance(outcome, Outcome)
        assert outcome.failed
        assert store.hung == 0
        assert world.api.condition("Ready") == ("True", "ProvenWithoutToken")
        assert world.api.condition("Published")[0] == "Unknown"
        (said,) = world.api.raw["status"]["findings"]
        assert (said["reason"], said["severity"]) == ("InternalError", "Warning")
        assert said["message"].startswith("The pass was ended after 0.2 s")
        assert world.api.raw["status"]["keys"] == keys
        monkeypatch.setattr("oidc_publisher.reconcile.passes.PASS_S", 90.0)
        store.hangs = False
        await world.run()
        assert world.api.condition("Published")[0] == "True"
        assert "InternalError" not in world.api.reasons()


def test_the_finding_of_a_deadline_names_the_step() -> None:
    """A stuck step is named where no restart would help; a pass that had none yet says the rest."""
    assert "after 90 s in its step prove, for" in PassLateError().finding(Step.PROVE).message
    assert "after 90 s, for" in PassLateError().finding().message


async def test_a_call_that_is_late_by_itself_is_not_the_deadline() -> None:
    """Its own error says more."""

    async def late() -> None:
        raise TimeoutError("of a call")

    with pytest.raises(TimeoutError, match="of a call"):
        await in_time(late())


async def test_the_deadline_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where a step turns its cancellation into an error of its own on the way."""
    monkeypatch.setattr("oidc_publisher.reconcile.passes.PASS_S", 0.01)
    with pytest.raises(PassLateError):
        await in_time(asyncio.sleep(3600))
