"""The file on a node's disk (S5): never half written, never overwritten when damaged, never readable by others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oidc_publisher.signer.storage import DiskCopy, DiskFile, RingUnreadableError
from tests.support.rings import NOW, key_id, ring_key, ring_of

FIRST = DiskCopy(ring_of(ring_key(1, signed=NOW)), key_id(1))
SECOND = DiskCopy(ring_of(ring_key(2), *FIRST.ring.keys), key_id(1))


@pytest.fixture
def file(tmp_path: Path) -> DiskFile:
    """A file that is not there yet."""
    return DiskFile(tmp_path)


def test_a_file_is_read_as_it_was_written(file: DiskFile) -> None:
    """Only its owner may read it, whatever the umask is and a crash has left."""
    assert file.read() is None
    before = os.umask(0)
    try:
        left = file.path.with_name("ring.json.new")
        left.write_text("half")
        left.chmod(0o666)
        file.write(FIRST)
        assert file.read() == FIRST
        file.write(SECOND)
    finally:
        os.umask(before)
    assert file.read() == SECOND
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.folder.iterdir()] == ["ring.json"]


def test_a_damaged_file_is_kept_under_another_name(file: DiskFile) -> None:
    """It may hold the only copy of a key. The next one gets a name of its own."""
    for number in (1, 2):
        file.path.write_bytes(b"damage %d" % number)
        with pytest.raises(
            RingUnreadableError, match=rf"is damaged, and is kept as ring\.json\.damaged-{number}: is not JSON"
        ):
            file.read()
        assert file.path.with_name(f"ring.json.damaged-{number}").read_bytes() == b"damage %d" % number
    assert file.read() is None


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_crash_leaves_the_former_content(file: DiskFile, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each step of a write."""
    file.write(FIRST)

    def fails(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    target = {"write": "os.fdopen", "fsync": "os.fsync", "rename": "pathlib.Path.replace"}[call]
    monkeypatch.setattr(target, fails)
    with pytest.raises(RingUnreadableError, match="cannot be written: No space left on device"):
        file.write(SECOND)
    monkeypatch.undo()
    assert file.read() == FIRST
    file.write(SECOND)
    assert file.read() == SECOND


def test_a_file_that_cannot_be_read_is_left_alone(file: DiskFile) -> None:
    """A folder stands in its place here, for root reads every file."""
    file.path.mkdir()
    with pytest.raises(RingUnreadableError, match="cannot be read: Is a directory"):
        file.read()
    assert file.path.is_dir()
