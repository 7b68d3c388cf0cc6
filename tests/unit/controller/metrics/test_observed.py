"""Ports that are noted: each call and each answer once, and nothing of them changed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oidc_publisher.controller.metrics.observed import ObservedStore, ObservedWire
from oidc_publisher.controller.metrics.series import Series
from oidc_publisher.documents import Document
from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.probe.wire.memory import MemoryWire
from oidc_publisher.probe.wire.port import Deadline, Fetched
from oidc_publisher.stores.memory import MemoryStore
from oidc_publisher.stores.port import StoredDocument
from tests.support.memorypass import memory_pass
from tests.support.publickeys import mixed_pem
from tests.unit.controller.metrics.test_series import scraped

if TYPE_CHECKING:
    from tests.support.pki import PKI

DOCUMENT = Document(b"{}", "application/json", "public, max-age=300", {})


@dataclass
class Noted:
    """Everything that was noted."""

    calls: list[tuple[str, str, bool]] = field(default_factory=list)
    answers: list[Fetched] = field(default_factory=list)

    def called(self, operation: str, code: str, seconds: float, *, error: bool) -> None:
        """Keep a call."""
        assert seconds >= 0
        self.calls.append((operation, code, error))

    def fetched(self, answer: Fetched) -> None:
        """Keep an answer."""
        self.answers.append(answer)


class Failing(MemoryStore):
    """A store whose reads fail, and whose deletions never end."""

    async def read(self, path: str) -> StoredDocument | None:
        """Fail."""
        raise StoreError(Reason.AccessDenied, f"{path} is denied")

    async def delete(self, path: str, *, expected: str) -> None:
        """Wait."""
        del path, expected
        await asyncio.Event().wait()


async def test_each_call_is_noted_with_what_became_of_it() -> None:
    """Success, a lost race and a refusal, which the caller gets as before."""
    notes = Noted()
    store = ObservedStore(MemoryStore("memory://a"), notes)
    written = await store.write("a", DOCUMENT, expected=None)
    assert await store.read("a") == written
    with pytest.raises(PreconditionError):
        await store.write("a", replace(DOCUMENT, body=b"[]"), expected="0")
    await store.delete("a", expected=written.version)
    with pytest.raises(StoreError):
        await ObservedStore(Failing(), notes).read("a")
    assert notes.calls == [
        ("write", "ok", False),
        ("read", "ok", False),
        ("write", "PreconditionFailed", False),
        ("delete", "ok", False),
        ("read", "AccessDenied", True),
    ]
    offsets: tuple[timedelta, ...] = store.clock_offsets
    assert (store.location, store.endpoint_url, offsets) == ("memory://a", None, ())
    await store.aclose()


async def test_a_call_that_the_deadline_ends_is_no_success() -> None:
    """Its pass is cancelled while it waits."""
    notes = Noted()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await ObservedStore(Failing(), notes).delete("a", expected="1")
    assert notes.calls == [("delete", "Abandoned", True)]


async def test_each_answer_is_noted() -> None:
    """As the wire gave it."""
    notes = Noted()
    wire = ObservedWire(MemoryWire(lambda url, _: Fetched(url, 200)), notes)
    async with wire.visit(0) as visit:
        answer = await visit.get("https://oidc.example.com/", Deadline.after(timedelta(seconds=5)))
    assert notes.answers == [answer]


async def test_a_real_pass_is_noted_from_its_first_read_to_its_drift_repair(pki: PKI, tmp_path: Path) -> None:
    """Three passes: one that writes, one at rest, one that repairs what somebody deleted."""
    series = Series()
    async with memory_pass(pki, tmp_path, observer=series) as one:
        one.write_keys([mixed_pem(0)])
        await one.run()
        await one.run()
        one.store.documents.pop("openid/v1/jwks")
        await one.run()
        found = scraped(series)
    assert found["oidc_publisher_reconciles_total"] == {
        (("issuer", "prod"), ("result", "changed")): 2,
        (("issuer", "prod"), ("result", "unchanged")): 1,
        (("issuer", "prod"), ("result", "failed")): 0,
    }
    assert found["oidc_publisher_drift_repairs_total"] == {(("issuer", "prod"),): 1}
    calls = {
        (dict(key)["operation"], dict(key)["code"]): n for key, n in found["oidc_publisher_store_calls_total"].items()
    }
    assert calls["write", "ok"] == 4, "both documents, and both again, for the mark of each has the serial"
    assert calls["read", "ok"] >= 6
    steps = found["oidc_publisher_reconcile_step_duration_seconds_count"]
    assert {dict(labels)["step"]: count for labels, count in steps.items()} == dict.fromkeys(
        ("read", "plan", "publish", "prove", "report"), 3
    )
