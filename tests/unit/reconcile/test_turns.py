"""A full ledger takes no turn of the event loop that the other issuers would notice."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.memorypass import MemoryPass, memory_pass
from tests.support.publickeys import mixed_pem
from tests.support.turns import Turns, measured_turns

if TYPE_CHECKING:
    from tests.support.pki import PKI

#: Where a pass computes about all keys of its ledger, by module and name.
COMPUTING = (
    "oidc_publisher.reconcile.reconciler.read_status",
    "oidc_publisher.reconcile.reconciler.read_ledger",
    "oidc_publisher.reconcile.publish.decide",
    "oidc_publisher.reconcile.record.with_ledger",
    "oidc_publisher.reconcile.record.summarise",
    "oidc_publisher.reconcile.record.fitted",
    "oidc_publisher.reconcile.record.status_patch",
)
#: CPU seconds. It is 0.012, the turns of the API server of this test included; at bbca0bd a pass took 0.7 to 0.9.
LONGEST_S = 0.1


@pytest.fixture
def on_the_loop(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[bool]]:
    """Whether each of COMPUTING was called in this thread, which is the loop's, and whether in another one."""
    loops, called = threading.get_ident(), dict[str, set[bool]]()

    def noting(path: str) -> Callable[..., Any]:
        module, _, name = path.rpartition(".")
        real = getattr(__import__(module, fromlist=[name]), name)

        def note(*arguments: Any, **options: Any) -> Any:
            called.setdefault(name, set()).add(threading.get_ident() == loops)
            return real(*arguments, **options)

        return note

    for path in COMPUTING:
        monkeypatch.setattr(path, noting(path))
    return called


@pytest.fixture
def turns() -> Iterator[Turns]:
    """The turns of the loop; what tests imported is kept out of collections of garbage, as the operator does with its own."""
    measured = Turns()
    gc.freeze()
    with measured_turns(measured):
        yield measured
    gc.unfreeze()


async def _run(world: MemoryPass, turns: Turns) -> float:
    await asyncio.sleep(0)  # the turn of what the test itself did before is over
    turns.take()
    await world.run()
    return turns.take()


@pytest.mark.slow
async def test_no_turn_of_a_full_ledger_is_long(
    pki: PKI, tmp_path: Path, turns: Turns, on_the_loop: dict[str, set[bool]]
) -> None:
    """512 keys of all kinds: the first pass, at rest, with forty other keys, after a restart, after a lost status."""
    longest = dict[str, float]()
    async with memory_pass(pki, tmp_path) as world:
        world.write_keys([mixed_pem(number) for number in range(512)])
        longest["first"] = await _run(world, turns)
        assert len(world.api.raw["status"]["keys"]) == 512
        del on_the_loop["read_status"], on_the_loop["read_ledger"]  # there was no ledger to read yet
        longest["rest"] = await _run(world, turns)
        world.write_keys([mixed_pem(number) for number in range(600, 640)])
        longest["changed"] = await _run(world, turns)
    async with memory_pass(pki, tmp_path, world.store) as restarted:
        restarted.api.raw = world.api.raw
        longest["restart"] = await _run(restarted, turns)
        assert on_the_loop == {path.rpartition(".")[2]: {False} for path in COMPUTING}
        restarted.api.raw = {**world.api.raw, "status": {}}
        longest["lost"] = await _run(restarted, turns)
    assert {what: s for what, s in longest.items() if s > LONGEST_S} == {}


async def test_a_ledger_of_a_few_keys_starts_no_thread(
    pki: PKI, tmp_path: Path, on_the_loop: dict[str, set[bool]]
) -> None:
    """Most issuers have fewer than ten keys: changing threads would cost more than it spares."""
    async with memory_pass(pki, tmp_path) as world:
        world.write_keys([mixed_pem(number) for number in range(8)])
        for _ in range(2):
            await world.run()
    assert on_the_loop == {path.rpartition(".")[2]: {True} for path in COMPUTING}
