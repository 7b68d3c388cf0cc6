"""The layers that builds of the image leave in the user's cache: with nothing mounted, and never half of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from hack.testbed import debian

MOST_BYTES = 4 * 2**30
_MOUNTS = Path("/proc/self/mountinfo")


def tidied(kept: Path, most_bytes: int = MOST_BYTES) -> Path:
    """Return the folder of the layers below `kept`, which is begun anew when they have become many; nobody may be building.

    A build that was ended leaves its containers mounted, and a folder in which something is mounted cannot be removed.

    Raises:
        CannotBuildError: a program still uses what is mounted.
    """
    layers, former = kept / "layers", kept / "former-layers"
    for mounted in reversed(_mounted_below(kept)):
        debian.run(["umount", str(mounted)], f"end the build of the image that uses {kept}, and try again")
    _remove(former)
    if _size(layers) > most_bytes:
        # A removal may be ended as well: halfway it would leave a list of layers of which some are gone.
        layers.rename(former)
        _remove(former)
    return layers


def _mounted_below(folder: Path) -> list[Path]:
    """Return what is mounted below a folder, in the order in which it was mounted."""
    fields = (line.split()[4] for line in _MOUNTS.read_text().splitlines())
    points = (Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), field)) for field in fields)
    return [point for point in points if point.is_relative_to(folder.resolve())]


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink())


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
