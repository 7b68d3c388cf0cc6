"""The layers that builds of the image leave in the user's cache: with nothing mounted, and never half of them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from hack.testbed import debian
from hack.testbed.cache import CannotBuildError

MOST_BYTES = 4 * 2**30
_MOUNTS = Path("/proc/self/mountinfo")
#: What removals left that were ended, the second under the name that the layers had before.
_FORMER = ("former-layers", "storage")


def tidied(kept: Path, most_bytes: int = MOST_BYTES) -> Path:
    """Return the folder of the layers below `kept`, which is begun anew when they have become many; nobody may be building.

    A build that was ended leaves its containers mounted, and a folder in which something is mounted cannot be removed.

    Raises:
        CannotBuildError: a program still uses what is mounted, or somebody else's files are among the layers.
    """
    layers = kept / "layers"
    for mounted in reversed(_mounted_below(kept)):
        if mounted != layers.resolve():  # which may be a volume of the user's
            debian.run(["umount", str(mounted)], f"end the build of the image that uses {kept}, and try again")
    try:
        _remove_former(kept)
        if _size(layers) > most_bytes:
            # A removal may be ended as well: halfway it would leave a list of layers of which some are gone.
            layers.rename(kept / _FORMER[0])
            _remove_former(kept)
    except OSError as error:
        raise CannotBuildError(
            f"{error.filename or kept} cannot be removed ({error.strerror or error}): empty {kept} as a user who may."
        ) from error
    return layers


def _mounted_below(folder: Path) -> list[Path]:
    """Return what is mounted below a folder, in the order in which it was mounted."""
    # Names may be of any bytes, and proc writes spaces as octal numbers.
    fields = (line.split(b" ")[4] for line in _MOUNTS.read_bytes().split(b"\n") if line)
    names = (re.sub(rb"\\(\d{3})", lambda octal: bytes([int(octal[1], 8)]), field) for field in fields)
    below = folder.resolve()
    return [point for name in names if below in (point := Path(os.fsdecode(name))).parents]


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink())


def _remove_former(kept: Path) -> None:
    for folder in (kept / name for name in _FORMER):
        if folder.exists():
            shutil.rmtree(folder)
