"""What only a directory can do wrong."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores import Document
from oidc_publisher.stores import directory as module
from oidc_publisher.stores.directory import DirectoryStore
from tests.unit.stores.conftest import DOCUMENT

JWKS = "openid/v1/jwks"


async def test_a_web_server_finds_the_bytes(tmp_path: Path) -> None:
    """The document lies under its path, readable by others; nothing else lies beside it."""
    await DirectoryStore(tmp_path).write(JWKS, DOCUMENT, expected=None)
    file = tmp_path / JWKS
    assert file.read_bytes() == DOCUMENT.body
    assert file.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in file.parent.iterdir()] == ["jwks"]


async def test_a_file_of_somebody_else_has_no_headers(tmp_path: Path) -> None:
    """It is drift, and is seen as such."""
    (tmp_path / "openid/v1").mkdir(parents=True)
    (tmp_path / JWKS).write_bytes(b"x")
    found = await DirectoryStore(tmp_path).read(JWKS)
    assert found is not None
    assert found.document == Document(b"x", "", "")


@pytest.mark.parametrize("replacements", [0, 1])
async def test_a_crash_between_the_two_files_leaves_a_whole_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replacements: int
) -> None:
    """Old bytes keep their own headers until the new bytes are there."""
    store = DirectoryStore(tmp_path)
    first = await store.write(JWKS, DOCUMENT, expected=None)
    real, left = module._replace, [replacements]

    def replace_until_the_crash(file: Path, content: bytes) -> None:
        if not left[0]:
            raise KeyError("crash")
        left[0] -= 1
        real(file, content)

    monkeypatch.setattr(module, "_replace", replace_until_the_crash)
    other = dataclasses.replace(DOCUMENT, body=b"two", metadata={"owner": "other"})
    with pytest.raises(KeyError):
        await store.write(JWKS, other, expected=first.version)
    monkeypatch.undo()
    found = await store.read(JWKS)
    assert found is not None
    assert (found.document, found.version) == (DOCUMENT, first.version)
    await store.write(JWKS, other, expected=first.version)


async def test_a_link_out_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    """Neither to read nor to write."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "openid").symlink_to(outside)
    (outside / "secret").write_text("x")
    (root / "link").symlink_to(outside / "secret")
    store = DirectoryStore(root)
    with pytest.raises(StoreError, match="leads out of") as caught:
        await store.write("openid/jwks", DOCUMENT, expected=None)
    assert caught.value.reason is Reason.AccessDenied
    with pytest.raises(StoreError, match="leads out of"):
        await store.read("link")
    assert [entry.name for entry in outside.iterdir()] == ["secret"]


async def test_a_broken_sidecar_is_no_error(tmp_path: Path) -> None:
    """It counts as absent, and the next write mends it."""
    store = DirectoryStore(tmp_path)
    await store.write(JWKS, DOCUMENT, expected=None)
    (sidecar,) = (tmp_path / ".oidc-publisher").rglob("*.json")
    assert list(json.loads(sidecar.read_bytes()))
    sidecar.write_bytes(b"{")
    found = await store.read(JWKS)
    assert found is not None
    assert found.document.metadata == {}
    assert (await store.write(JWKS, DOCUMENT, expected=found.version)).document == DOCUMENT


async def test_the_sidecars_are_no_documents(tmp_path: Path) -> None:
    """Nobody writes a document where the headers lie."""
    with pytest.raises(ValueError, match="not a path"):
        await DirectoryStore(tmp_path).write(".oidc-publisher/x", DOCUMENT, expected=None)


async def test_a_place_that_is_a_file_is_unavailable(tmp_path: Path) -> None:
    """The message names the document and the system's word."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"jwks: (Not a directory|File exists)") as caught:
        await DirectoryStore(tmp_path / "file").write(JWKS, DOCUMENT, expected=None)
    assert caught.value.reason is Reason.StoreUnavailable


async def test_a_file_that_is_too_large_is_not_ours(tmp_path: Path) -> None:
    """More than 1 MiB is not read into memory."""
    (tmp_path / "jwks").write_bytes(b"x")
    os.truncate(tmp_path / "jwks", 1024 * 1024 + 1)
    with pytest.raises(StoreError, match="more than 1048576 bytes") as caught:
        await DirectoryStore(tmp_path).read("jwks")
    assert caught.value.reason is Reason.DocumentsNotOurs
