"""The one line that a pass has in the log, as programs and people read it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from hack.referencepages import logs_page
from oidc_publisher.reconcile.status.passlog import FIELDS, MESSAGE
from oidc_publisher.telemetry import logs
from oidc_publisher.telemetry.levels import LogFormat, LogLevel
from tests.support.memorypass import memory_pass
from tests.support.publickeys import mixed_pem

if TYPE_CHECKING:
    from tests.support.pki import PKI

ROOT = Path(__file__).parents[4]
ALWAYS = {"timestamp", "level", "message", "logger"}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log of the process, at debug level, as JSON."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(LogFormat.JSON, LogLevel.DEBUG, stream=stream)
    yield stream
    root.handlers[:], _ = before
    root.setLevel(before[1])
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)


def passes(log: io.StringIO) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["message"] == MESSAGE]


async def test_a_pass_that_did_something_has_one_line_and_a_pass_at_rest_none_below_debug(
    log: io.StringIO, pki: PKI, tmp_path: Path
) -> None:
    """Creation, rest, drift: what changed, how long each step took, when the next look comes."""
    async with memory_pass(pki, tmp_path) as one:
        one.write_keys([mixed_pem(0)])
        await one.run()
        before = len(log.getvalue().splitlines())
        await one.run()
        at_rest = [json.loads(line) for line in log.getvalue().splitlines()[before:]]
        one.store.documents.pop("openid/v1/jwks")
        await one.run()
    ours = [
        line for line in at_rest if line["logger"].startswith("oidc_publisher")
    ]  # the stub logs in this process too
    assert {line["level"] for line in ours} == {"debug"}, "nothing is said at rest"
    created, rest, repaired = passes(log)
    assert [line["level"] for line in (created, rest, repaired)] == ["info", "debug", "info"]
    assert created["changed"] == ["generation", "conditions", "findings", "keys", "publication", "documents"]
    assert (rest["changed"], rest["events"]) == ([], [])
    assert (repaired["changed"], repaired["events"]) == (["publication", "documents"], ["DriftRepaired"])
    assert (created["issuer"], created["generation"], created["failed"]) == ("prod", 1, False)
    assert created["ready"] == "True/ProvenWithoutToken"
    assert created["findings"][0] == "ClockUntrusted"
    assert list(created["steps_ms"]) == ["read", "publish", "plan", "prove", "report"]
    assert sum(created["steps_ms"].values()) <= created["took_ms"] + 1
    assert 0 < created["next_look_s"] <= 60


async def test_the_members_of_the_line_are_those_of_the_page(log: io.StringIO, pki: PKI, tmp_path: Path) -> None:
    """A query that somebody has saved goes on to work: a new name here is a new line there."""
    async with memory_pass(pki, tmp_path) as one:
        await one.run()
    (line,) = passes(log)
    assert set(line) == {*FIELDS, *ALWAYS}
    page = (ROOT / "docs/reference/logs.md").read_text()
    assert page == logs_page()
    assert all(f"| `{name}` |" in page for name in FIELDS)


async def test_a_suspended_issuer_has_no_steps(log: io.StringIO, pki: PKI, tmp_path: Path) -> None:
    """The clock alone brings no pass either."""
    async with memory_pass(pki, tmp_path, suspend=True) as one:
        await one.run()
    (line,) = passes(log)
    assert (line["ready"], line["steps_ms"], line["next_look_s"]) == ("Unknown/Suspended", {}, None)


async def test_on_a_terminal_it_is_a_line_of_text(pki: PKI, tmp_path: Path, log: io.StringIO) -> None:
    """The same members, read by a person."""
    logs.configure(LogFormat.TEXT, LogLevel.INFO, stream=log)
    async with memory_pass(pki, tmp_path) as one:
        one.write_keys([mixed_pem(0)])
        await one.run()
    (line,) = [line for line in log.getvalue().splitlines() if MESSAGE in line]
    assert "issuer=prod" in line
    assert "steps_ms={'read': " in line
