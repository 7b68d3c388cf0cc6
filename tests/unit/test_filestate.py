"""A file's state is another one after its writer has been there, and asking for states leaves nothing behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from oidc_publisher.cluster.credentials.authorization import TokenFile
from oidc_publisher.filestate import file_state
from oidc_publisher.probe.wire.trust import roots_state
from oidc_publisher.stores.s3.transport import tls_context


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of long ago."""
    path = tmp_path / "file"
    path.write_text("one")
    os.utime(path, (1, 1))
    return path


@pytest.fixture
def interned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The strings that Python's library interns."""
    found: list[str] = []

    def intern(text: str) -> str:
        found.append(text)
        return text

    monkeypatch.setattr(sys, "intern", intern)
    return found


def test_a_file_that_was_written_has_another_state(file: Path) -> None:
    """Its content has the same size."""
    before = file_state(file)
    assert before == file_state(str(file))
    file.write_text("two")
    assert file_state(file) != before


def test_a_file_that_was_replaced_has_another_state(file: Path, tmp_path: Path) -> None:
    """The other one has the same size and time, as copies of one file have."""
    before = file_state(file)
    other = tmp_path / "other"
    other.write_text("two")
    os.utime(other, (1, 1))
    other.replace(file)
    assert file_state(file) != before


def test_a_file_that_is_missing_has_none(tmp_path: Path) -> None:
    """The caller knows what that means."""
    with pytest.raises(FileNotFoundError):
        file_state(tmp_path / "missing")


@pytest.mark.parametrize("asks", [roots_state, lambda: tls_context(None, None)], ids=["the probe", "a store"])
def test_what_each_pass_asks_for_interns_no_string(asks: Callable[[], object], interned: list[str]) -> None:
    """Python's table of interned strings grows with those that were let go: by 2 MiB after some 5,000 issuers."""
    asks()
    interned.clear()
    asks()
    assert interned == []


async def test_a_token_that_has_not_changed_interns_no_string(file: Path, interned: list[str]) -> None:
    """Each request asks whether it has."""
    token = TokenFile(file)
    await token.header()
    interned.clear()
    assert await token.header() == "Bearer one"
    assert interned == []
