"""Make the control groups below which a kubelet keeps its pods, and sweep those whose run has ended."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_NAME = "oidc-publisher-node-"
#: What kubelet asks of a hierarchy of version 2.
_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")


def unified() -> bool:
    """Tell whether the machine has the one hierarchy of version 2."""
    return (ROOT / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """Return the root of every hierarchy: one of version 2, or several of version 1 and beside them that of runc."""
    if unified():
        return [ROOT]
    return [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink() and path.is_mount()]


def name() -> str:
    """Return the name of this run's groups, which tells whose they are."""
    return f"{_NAME}{os.getpid()}"


def create(below: str = "") -> None:
    """Make this run's group in every hierarchy, or one below it. Raises OSError where that is forbidden."""
    if unified():
        _delegate(ROOT)
    for parent in (hierarchy / name() if below else hierarchy for hierarchy in hierarchies()):
        group = parent / (below or name())
        group.mkdir(exist_ok=True)
        if unified():
            _delegate(group)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # empty in a new group, and then no process may enter it
            if not unified() and (group / setting).exists():
                (group / setting).write_text((parent / setting).read_text())


def sweep() -> None:
    """Remove the groups of runs that have ended: PID 1 of their namespace had no time to."""
    for group in (found for hierarchy in hierarchies() for found in hierarchy.glob(f"{_NAME}*")):
        owner = re.fullmatch(rf"{_NAME}(\d+)", group.name)
        if owner and not Path("/proc", owner[1]).exists():
            remove(group)


def remove(group: Path) -> None:
    """Remove a group and all below it, deepest first; a group with processes stays."""
    for folder in sorted((path for path in group.rglob("*") if path.is_dir()), key=lambda p: -len(p.parts)):
        with contextlib.suppress(OSError):
            folder.rmdir()
    with contextlib.suppress(OSError):
        group.rmdir()


def _delegate(group: Path) -> None:
    there = (group / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{controller}" for controller in _CONTROLLERS if controller in there)
    (group / "cgroup.subtree_control").write_text(wanted)
