"""Folders of key files: what Kubernetes mounts, what is refused, and what cannot be read."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oidc_publisher.findings import Reason
from oidc_publisher.sources import SourceResult, files
from tests.layouts import kubeadm
from tests.layouts.material import kid, pem, rsa_private_pem, rsa_public
from tests.support.sourcereading import listed, planned, published, read_files, reasons

if TYPE_CHECKING:
    from tests.support.pki import PKI

GOOD = pem(rsa_public("good"))
GOOD_KID = kid(rsa_public("good"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder given as --key-files-root, with a good key in `keys`."""
    folder = tmp_path / "root"
    (folder / "keys").mkdir(parents=True)
    (folder / "keys" / "sa.pub").write_bytes(GOOD)
    return folder


def the_reason(result: SourceResult) -> Reason:
    """The one reason of a reading that failed."""
    (finding,) = result.findings
    assert not result.reading.complete
    assert result.reading.listings == ()
    assert result.reading.missing == (finding.subject,)
    return finding.reason


class TestPlaces:
    """Only what lies below the root."""

    async def test_without_a_root_nothing_is_read(self, pki: PKI, root: Path) -> None:
        """It says which option is missing; other sources are read all the same."""
        result = await read_files(pki, None, root / "keys")
        assert the_reason(result) is Reason.SpecUnsupported
        assert "--key-files-root" in result.findings[0].message

    async def test_the_root_itself_may_be_a_link(self, pki: PKI, root: Path, tmp_path: Path) -> None:
        """Both names of it are good."""
        link = tmp_path / "link"
        link.symlink_to(root)
        for directory in (link / "keys", root / "keys"):
            assert set(listed(await read_files(pki, link, directory))) == {GOOD_KID}

    @pytest.mark.parametrize("there", [True, False], ids=["that exists", "that does not"])
    async def test_elsewhere_is_refused_without_a_look(self, pki: PKI, root: Path, tmp_path: Path, there: bool) -> None:
        """The same words either way: nobody explores the container with an OIDCIssuer."""
        elsewhere = tmp_path / "elsewhere"
        if there:
            kubeadm.written(elsewhere, {"sa.pub": GOOD})
        result = await read_files(pki, root, elsewhere)
        assert the_reason(result) is Reason.SourceForbidden
        assert f"it does not lie below --key-files-root {root}" in result.findings[0].message

    async def test_a_neighbour_whose_name_begins_alike_is_elsewhere(self, pki: PKI, root: Path) -> None:
        """/keys-of-others is not below /keys."""
        other = kubeadm.written(root.with_name(root.name + "-of-others"), {"sa.pub": GOOD})
        assert the_reason(await read_files(pki, root, other)) is Reason.SourceForbidden

    async def test_a_folder_that_leads_elsewhere(self, pki: PKI, root: Path, tmp_path: Path) -> None:
        """By a link below the root."""
        kubeadm.written(tmp_path / "elsewhere", {"sa.pub": GOOD})
        (root / "link").symlink_to(tmp_path / "elsewhere")
        assert the_reason(await read_files(pki, root, root / "link")) is Reason.SourceForbidden

    async def test_a_file_that_leads_elsewhere(self, pki: PKI, root: Path, tmp_path: Path) -> None:
        """It alone is unreadable."""
        (tmp_path / "outside.pub").write_bytes(pem(rsa_public("outside")))
        (root / "keys" / "link.pub").symlink_to(tmp_path / "outside.pub")
        result = await read_files(pki, root, root / "keys")
        assert listed(result) == {GOOD_KID: None}
        assert reasons(result) == {"link.pub": "EntryUnreadable"}
        assert "does not lie below --key-files-root" in result.findings[0].message
        assert result.reading.unreadable == {"link.pub"}

    @pytest.mark.parametrize("name", ["missing", "sa.pub", "a\0b", "n" * 300, "circle"])
    async def test_no_such_folder(self, pki: PKI, root: Path, name: str) -> None:
        """Missing, a file, names that none can have, a link to itself: all SourceNotFound."""
        (root / "keys" / "circle").symlink_to("circle")
        result = await read_files(pki, root, f"{root}/keys/{name}")
        assert the_reason(result) is Reason.SourceNotFound
        assert "\0" not in result.findings[0].message

    async def test_a_folder_of_something_else(self, pki: PKI, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Too many files are not read at all."""
        monkeypatch.setattr(files, "MAX_FILES", 3)
        kubeadm.written(root / "keys", kubeadm.rotated(1, 2, 3))
        result = await read_files(pki, root, root / "keys")
        assert the_reason(result) is Reason.SourceNotFound
        assert "it has more than 3 files" in result.findings[0].message


class TestFiles:
    """Single files that are not as they should be block only themselves."""

    @pytest.mark.parametrize(
        ("content", "reason", "says"),
        [
            (b"", "EntryUnreadable", "is empty, as a file is while it is written"),
            (GOOD[:200], "EntryUnreadable", "is not whole"),
            (b"x" * 10_000_000, "EntryUnreadable", "larger than 1024 KiB"),
            (rsa_private_pem(), "PrivateKeyInEntry", "holds a private key"),
        ],
        ids=["zero bytes", "half written", "10 MB", "a private key"],
    )
    async def test_bad_content(self, pki: PKI, root: Path, content: bytes, reason: str, says: str) -> None:
        """And it is cheap, whatever its size."""
        (root / "keys" / "bad.pub").write_bytes(content)
        began = time.process_time()
        result = await read_files(pki, root, root / "keys")
        assert time.process_time() - began < 0.5
        assert listed(result) == {GOOD_KID: None}
        assert reasons(result) == {"bad.pub": reason}
        assert says in result.findings[0].message
        assert (result.reading.complete, set(result.reading.unreadable)) == (True, {"bad.pub"})

    async def test_a_file_that_is_being_written_keeps_its_keys(self, pki: PKI, root: Path) -> None:
        """R4, for as long as it takes."""
        before = await read_files(pki, root, root / "keys")
        (root / "keys" / "sa.pub").write_bytes(b"")
        (root / "keys" / "other.pub").write_bytes(pem(rsa_public("other")))
        during = await read_files(pki, root, root / "keys")
        plan = planned(during, before=planned(before).ledger, hours=100)
        assert set(published(plan)) == {GOOD_KID, kid(rsa_public("other"))}
        assert all(entry.unused_since_time is None for entry in plan.ledger.keys)

    async def test_a_sparse_terabyte_is_cheap(self, pki: PKI, root: Path) -> None:
        """No more is read than a key could have."""
        with (root / "keys" / "bad.pub").open("wb") as file:
            file.truncate(2**40)
        assert reasons(await read_files(pki, root, root / "keys")) == {"bad.pub": "EntryUnreadable"}

    async def test_what_is_no_regular_file(self, pki: PKI, root: Path) -> None:
        """A FIFO that nobody writes to would block for ever; a folder whose name matches is no file."""
        os.mkfifo(root / "keys" / "pipe.pub")
        (root / "keys" / "folder.pub").mkdir()
        async with asyncio.timeout(5):
            result = await read_files(pki, root, root / "keys")
        assert reasons(result) == {"pipe.pub": "EntryUnreadable"}
        assert "is no regular file" in result.findings[0].message

    async def test_links_that_lead_nowhere(self, pki: PKI, root: Path) -> None:
        """Dangling, and round in circles."""
        (root / "keys" / "circle.pub").symlink_to("circle.pub")
        (root / "keys" / "dangling.pub").symlink_to("..data/dangling.pub")
        result = await read_files(pki, root, root / "keys")
        assert listed(result) == {GOOD_KID: None}
        assert reasons(result) == {"circle.pub": "EntryUnreadable", "dangling.pub": "EntryUnreadable"}

    async def test_names_of_any_bytes(self, pki: PKI, root: Path) -> None:
        """A name that is no text matches nothing; one with a line break is shown on one line, and RE2's dot stops there."""
        (root / "keys" / os.fsdecode(b"\xff.pub")).write_bytes(b"bad")
        (root / "keys" / "a\nb.pub").write_bytes(b"bad")
        assert (await read_files(pki, root, root / "keys")).findings == ()
        result = await read_files(pki, root, root / "keys", r"(?s).*\.pub")
        assert reasons(result) == {r"a\nb.pub": "EntryUnreadable"}
        assert "\n" not in result.findings[0].message
        assert result.reading.unreadable == {"a\nb.pub"}


class TestVolumes:
    """A volume is replaced while it is read."""

    async def test_the_second_reading_counts(self, pki: PKI, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The former generation's files vanish between their names and their content: no finding, the new keys."""
        folder = kubeadm.mounted(root / "volume", kubeadm.rotated(1, 2))
        names = files._file_names
        replaced: list[Path] = []

        def meanwhile(path: Path) -> list[str]:
            found = names(path)
            if not replaced:
                replaced.append(kubeadm.mounted(folder, kubeadm.rotated(2, 3), "..2026_01_02_00_00_00.2"))
            return found

        monkeypatch.setattr(files, "_file_names", meanwhile)
        result = await read_files(pki, root, folder, kubeadm.ROTATED_PATTERN)
        assert (list(listed(result).values()), result.findings) == ([3, 2], ())
