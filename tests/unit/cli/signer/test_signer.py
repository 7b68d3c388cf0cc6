"""`signer run` and `signer restore` from a terminal: what they refuse, and what a backup is good for."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from oidc_publisher.cli.signer import body
from oidc_publisher.signer.running import SignerSettings
from oidc_publisher.signer.storage import DiskCopy, DiskFile
from tests.support.commands import call
from tests.support.rings import NOW, key_id, ring_key, ring_of

COPY = DiskCopy(ring_of(ring_key(2), ring_key(1, signed=NOW)), key_id(1))


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """The copy of a disk."""
    folder = tmp_path / "backup"
    folder.mkdir()
    DiskFile(folder).write(COPY)
    return folder / "ring.json"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The empty folder of a new node."""
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def test_a_backup_is_put_back(backup: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what signed last, and only for the owner of the folder; the backup stays."""
    assert call("signer", "restore", str(backup), "--state", str(state)) == 0
    assert capsys.readouterr().out == "Restored 2 versions, the newest is 2. Start the signer now.\n"
    assert DiskFile(state).read() == COPY
    assert (state / "ring.json").stat().st_mode & 0o777 == 0o600
    assert backup.exists()


def test_a_ring_that_is_there_is_left_alone(backup: Path, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be newer than any backup."""
    DiskFile(state).write(DiskCopy(ring_of(ring_key(7))))
    assert call("signer", "restore", str(backup), "--state", str(state)) == 1
    assert "holds a ring already" in capsys.readouterr().out
    assert DiskFile(state).read() == DiskCopy(ring_of(ring_key(7)))


def test_what_is_no_backup_is_refused(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unread and unmoved."""
    other = state.parent / "other.json"
    other.write_text("{}")
    assert call("signer", "restore", str(other), "--state", str(state)) == 2
    assert "other.json is no copy of a ring: has not the members" in capsys.readouterr().err
    assert other.exists()
    assert list(state.iterdir()) == []


def _arguments(state: Path) -> list[str]:
    folder = state.parent
    files = {"socket": folder / "s.sock", "state": state, "kubeconfig": folder / "kubeconfig"}
    return ["signer", "run", "--node=a", *(f"--{name}={path}" for name, path in files.items())]


@pytest.mark.parametrize("more", [[], ["--wrapping-key-file=k", "--plaintext-secret"]], ids=["neither", "both"])
def test_plaintext_has_to_be_said(state: Path, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And only that."""
    assert call(*_arguments(state), *more) == 2
    assert "Give either --wrapping-key-file or --plaintext-secret." in capsys.readouterr().err


def test_a_kubeconfig_that_cannot_be_used_ends_it(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With one line and 2, before anything is served."""
    assert call(*_arguments(state), "--plaintext-secret") == 2
    said = capsys.readouterr().err
    assert "The kubeconfig cannot be used:" in said
    assert "Traceback" not in said


def test_every_option_reaches_the_signer(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own unit."""
    seen: list[Any] = []
    monkeypatch.setattr(body, "run_signer", seen.append)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    more = ["--wrapping-key-file=k", "--import-key=i", "--max-token-lifetime=48", "--hint=3", "--allowed-uid=0"]
    assert call(*_arguments(state), *more, "--allowed-uid=65532") == 0
    (settings,) = seen
    assert isinstance(settings, SignerSettings)
    assert (settings.max_token_lifetime.total_seconds(), settings.hint.total_seconds()) == (48 * 3600, 3)
    assert settings.allowed_uids == frozenset({0, 65532})
    assert (settings.wrapping_key_file, settings.import_key, settings.node) == (Path("k"), Path("i"), "a")
