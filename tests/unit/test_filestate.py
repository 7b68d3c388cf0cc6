"""A file's state is another one after its writer has been there, and asking for states leaves nothing behind."""

from __future__ import annotations

import os
import shutil
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


def test_a_file_that_was_written_within_one_tick_has_another_state(file: Path) -> None:
    """The clock of a file system may stand for milliseconds; then the size tells."""
    before = file_state(file)
    file.write_text("three")
    os.utime(file, (1, 1))
    assert file_state(file) != before


def test_a_link_that_leads_elsewhere_has_another_state(file: Path, tmp_path: Path) -> None:
    """Kubernetes replaces the folder that a volume's files are links into; the links stay."""
    (tmp_path / "link").symlink_to("folder/file")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy2(file, tmp_path / name / "file")
    folder = tmp_path / "folder"
    folder.symlink_to("one")
    before = file_state(tmp_path / "link")
    folder.unlink()
    folder.symlink_to("two")
    assert file_state(tmp_path / "link") != before


def test_a_file_that_is_missing_has_none(tmp_path: Path) -> None:
    """The caller knows what that means."""
    with pytest.raises(FileNotFoundError):
        file_state(tmp_path / "missing")


@pytest.mark.parametrize("variable", [None, "missing"], ids=["the file that is named", "a file that is missing"])
@pytest.mark.parametrize("asks", [roots_state, lambda: tls_context(None, None)], ids=["the probe", "a store"])
def test_what_each_pass_asks_for_interns_no_string(
    asks: Callable[[], object], variable: str | None, interned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's table of interned strings grows with those that were let go: by 2 MiB after some 5,000 issuers."""
    if variable is not None:
        monkeypatch.setenv("SSL_CERT_FILE", variable)
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
