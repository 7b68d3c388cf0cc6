"""Let one process and its children ask the gallery's name server: a resolv.conf of its own in a mount namespace.

Run as a script with PROGRAM ARGUMENT... it runs that program so, within the network namespace of the tests.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from pathlib import Path

#: Where glibc and Go expect a name server when the file names no port.
PORT = 53
_CONTENT = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000  # linux/sched.h
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000  # linux/mount.h
_LIBC = ctypes.CDLL(None, use_errno=True)


def command(*argv: str | Path) -> list[str | Path]:
    """Return the command that runs `argv` with the name server of the gallery."""
    return [sys.executable, Path(__file__).resolve(), *argv]


def enter() -> None:
    """Move this process into a mount namespace whose /etc/resolv.conf names the gallery's name server.

    Raises:
        OSError: the kernel or a container's profile forbids it.
    """
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        _done(_LIBC.unshare(_CLONE_NEWNS))
    else:
        _done(_LIBC.unshare(_CLONE_NEWNS | _CLONE_NEWUSER))
        own = Path("/proc/self")
        (own / "setgroups").write_text("deny")  # the kernel wants this before an unprivileged gid_map
        (own / "uid_map").write_text(f"{user} {user} 1")
        (own / "gid_map").write_text(f"{group} {group} 1")
    _done(_LIBC.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    with tempfile.NamedTemporaryFile("w", suffix=".resolv.conf") as file:
        file.write(_CONTENT)
        file.flush()
        Path(file.name).chmod(0o644)
        _done(_LIBC.mount(file.name.encode(), b"/etc/resolv.conf", None, _MS_BIND, None))


def possible() -> bool:
    """Return whether a process may have a resolv.conf of its own; a child tries it."""
    child = os.fork()
    if child == 0:
        try:
            enter()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _done(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    enter()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - no shell is wanted
