#!/usr/bin/env python3
"""Finds nginx, or unpacks Debian's package of it into the user's cache: the tests' CDN, with real caches.

Nothing is installed: the package is downloaded by apt-get, with the machine's own sources and keys, and unpacked with
dpkg-deb, for which nobody needs to be root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hack.testbed import debian
from hack.testbed.cache import CannotBuildError, cache_folder, goarch
from hack.testbed.progress import progress

#: Older releases of Ubuntu have the program in nginx-core, and nothing but dependencies in nginx.
PACKAGES = ("nginx", "nginx-core")
PROGRAM = Path("usr/sbin/nginx")
CURE = "install nginx (it need not run), or run this once on Debian or Ubuntu with a network"


def unpacked() -> Path:
    """Where the program is after `unpack()`."""
    return cache_folder() / f"nginx-{sys.platform}-{goarch()}" / PROGRAM


def find() -> Path | None:
    """The machine's own nginx, else the unpacked one; None when there is neither that runs."""
    installed = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    candidates = [Path(installed)] if installed else []
    return next((path for path in (*candidates, unpacked()) if _runs(path)), None)


def unpack() -> Path:
    """Download and unpack the package; an interrupted run leaves nothing half."""
    lacking = [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]
    if lacking:
        raise CannotBuildError(f"nginx is missing, and so is {' and '.join(lacking)} to fetch it: {CURE}.")
    target = unpacked()
    folder = target.parents[len(PROGRAM.parts) - 1]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as work, progress("nginx"):
        root = Path(work) / "root"
        for package in PACKAGES:
            debian.download([package], Path(work) / package, CURE)
            for file in (Path(work) / package).glob("*.deb"):
                debian.run(["dpkg-deb", "-x", str(file), str(root)], CURE)
            if (root / PROGRAM).is_file():
                break
        if not _runs(root / PROGRAM):
            raise CannotBuildError(f"The package's nginx does not run here, a library is missing: {CURE}.")
        shutil.rmtree(folder, ignore_errors=True)
        root.replace(folder)
    return target


def _runs(program: Path) -> bool:
    if not os.access(program, os.X_OK):
        return False
    return subprocess.run([program, "-v"], capture_output=True, check=False).returncode == 0


def main() -> int:
    """Unpack it unless it is there, and say where it is."""
    try:
        print(find() or unpack())
    except CannotBuildError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
