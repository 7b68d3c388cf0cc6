"""Notice that a file was written or replaced."""

from __future__ import annotations

import os
from pathlib import Path

#: The modification time (ns), the size (bytes) and the inode.
FileState = tuple[int, int, int]


def file_state(path: str | Path) -> FileState:
    """Return what changes when a file is written or replaced, or when names in a folder come, go or are replaced.

    Links are followed: Kubernetes mounts a volume's files as links to a folder that it replaces.

    Each pass asks for it several times, so it makes no Path: that interns each part of the path, and of a million strings that
    were interned and let go Python's table of them keeps 2 MiB.

    Raises:
        OSError: there is no such file.
    """
    found = os.stat(path)  # noqa: PTH116
    return (found.st_mtime_ns, found.st_size, found.st_ino)
