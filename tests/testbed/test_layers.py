"""Layers of former builds of the image are begun anew when they have become many, whatever an ended build left."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
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
def mounted(kept: Path) -> Iterator[Path]:
    """Two folders within each other that an ended build left mounted in a layer."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    outer = kept / "layers" / "one" / "merged"
    for folder in (outer, outer / "inner"):
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True)
    yield outer
    for folder in (outer / "inner", outer):
        subprocess.run(["umount", str(folder)], capture_output=True, check=False)


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
        with pytest.raises(CannotBuildError, match=r"umount .*busy.*: end the build of the image that uses .*a cache"):
            layers.tidied(kept, _MOST)
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
