"""Layers of former builds of the image are begun anew when they have become many, whatever an ended build left."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hack.testbed import layers
from hack.testbed.cache import CannotBuildError

_MOST = 100_000


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A cache with two layers, in a folder whose name has a space."""
    folder = tmp_path / "a cache"
    for name in ("one", "two"):
        layer = folder / "layers" / name
        layer.mkdir(parents=True)
        (layer / "file").write_bytes(b"0" * 1000)
    return folder


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Mounts an empty file system at a folder; whatever a test leaves mounted is let go after it, wherever it is then."""

    def mounted(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        if subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], capture_output=True, check=False).returncode:
            pytest.skip("this user may not mount")

    yield mounted
    for line in reversed(Path("/proc/self/mountinfo").read_bytes().split(b"\n")):
        point = line.split(b" ")[4].decode("unicode_escape").encode("latin-1") if line else b""
        if point.startswith(os.fsencode(tmp_path)):
            subprocess.run(["umount", point], check=True)


@pytest.fixture
def mounted(kept: Path, mount: Callable[[Path], None]) -> Path:
    """Two folders within each other that an ended build left mounted in a layer."""
    outer = kept / "layers" / "one" / "merged"
    mount(outer)
    mount(outer / "inner")
    return outer


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_few_layers_stay(kept: Path) -> None:
    """They are what makes the next build quick."""
    assert layers.tidied(kept, _MOST) == kept / "layers"
    assert _names(kept / "layers") == ["one", "two"]


def test_many_layers_are_begun_anew(kept: Path) -> None:
    """Nothing of them is left beside the new folder."""
    (kept / "layers" / "two" / "large").write_bytes(b"0" * _MOST)
    assert not layers.tidied(kept, _MOST).exists()
    assert _names(kept) == []


def test_nothing_was_built_yet(tmp_path: Path) -> None:
    """The first build finds no folder."""
    assert layers.tidied(tmp_path / "new", _MOST) == tmp_path / "new" / "layers"


def test_what_an_ended_build_left_mounted_is_let_go(kept: Path, mounted: Path) -> None:
    """CI failed once at such a folder, which nothing could remove."""
    (kept / "layers" / "two" / "large").write_bytes(b"0" * _MOST)
    assert not layers.tidied(kept, _MOST).exists()
    assert not mounted.exists()


def test_what_is_mounted_does_not_count(kept: Path, mounted: Path) -> None:
    """It shows the layers below it once more."""
    (mounted / "inner" / "large").write_bytes(b"0" * _MOST)
    layers.tidied(kept, _MOST)
    assert _names(kept / "layers") == ["one", "two"]
    assert _names(mounted) == []


def test_a_mount_in_use_is_named_with_what_to_do(kept: Path, mounted: Path) -> None:
    """Nothing is removed below a build that goes on."""
    (kept / "layers" / "two" / "large").write_bytes(b"0" * _MOST)
    with subprocess.Popen(["sleep", "60"], cwd=mounted / "inner") as building:
        try:
            with pytest.raises(
                CannotBuildError, match=r"umount .*busy.*: end the build of the image that uses .*a cache"
            ):
                layers.tidied(kept, _MOST)
        finally:
            building.kill()
    assert _names(kept / "layers") == ["one", "two"]


def test_a_removal_that_was_ended_leaves_no_half_of_the_layers(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next build has none of them, or all; and what is left of the former ones goes."""
    (kept / "layers" / "two" / "large").write_bytes(b"0" * _MOST)

    def ended(folder: Path) -> None:
        (folder / "one" / "file").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", ended)
        with pytest.raises(KeyboardInterrupt):
            layers.tidied(kept, _MOST)
    assert not (kept / "layers").exists()
    layers.tidied(kept, _MOST)
    assert _names(kept) == []


@pytest.mark.parametrize("name", ["former-layers", "storage"])
def test_what_is_left_of_former_layers_goes(kept: Path, name: str) -> None:
    """A removal was ended; the second is the name that the layers had before."""
    (kept / "layers" / "one").rename(kept / name)
    layers.tidied(kept, _MOST)
    assert _names(kept) == ["layers"]


def test_mounts_beside_the_layers_stay(kept: Path, mount: Callable[[Path], None]) -> None:
    """A neighbour whose name begins alike, and a volume that a user gave to the cache or to the layers themselves."""
    volumes = [kept, kept / "layers", kept.with_name(f"{kept.name} 2"), kept.parent / "third"]
    for volume in volumes:
        mount(volume)
    layers.tidied(kept, _MOST)
    assert [volume.is_mount() for volume in volumes] == [True] * 4


def test_a_cache_behind_a_link_is_tidied_too(kept: Path, mounted: Path, tmp_path: Path) -> None:
    """The kernel knows the folder by its own name."""
    link = tmp_path / "link"
    link.symlink_to(kept)
    layers.tidied(link, _MOST)
    assert not mounted.is_mount()


@pytest.mark.parametrize("name", [b"odd\xff", "no\u00a0break".encode()])
def test_a_name_of_any_bytes_hides_no_mount(kept: Path, mount: Callable[[Path], None], name: bytes) -> None:
    """Names of files are bytes."""
    folder = kept / "layers" / os.fsdecode(name)
    mount(folder)
    layers.tidied(kept, _MOST)
    assert not folder.is_mount()


def test_what_links_point_to_does_not_count(kept: Path, tmp_path: Path) -> None:
    """Layers have links to whatever their image has."""
    large = tmp_path / "large"
    large.write_bytes(b"0" * _MOST)
    (kept / "layers" / "one" / "link").symlink_to(large)
    layers.tidied(kept, _MOST)
    assert _names(kept / "layers") == ["one", "two"]


def test_layers_that_cannot_be_removed_are_named(kept: Path, tmp_path: Path) -> None:
    """A user's link to another disk is never followed and emptied."""
    disk = tmp_path / "disk"
    (kept / "layers").rename(disk)
    (kept / "layers").symlink_to(disk)
    (disk / "large").write_bytes(b"0" * _MOST)
    with pytest.raises(CannotBuildError, match=r"cannot be removed .*: empty .*a cache as a user who may"):
        layers.tidied(kept, _MOST)
    assert _names(disk) == ["large", "one", "two"]
