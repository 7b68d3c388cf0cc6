"""Unpacks Debian packages, with all that they depend on, into the user's cache: nothing is installed.

apt-get finds and downloads the packages with the machine's own sources and keys, and dpkg-deb unpacks them.
Which packages the machine itself has makes no difference, so that a folder made here serves a machine that has fewer.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from hack.testbed.cache import CannotBuildError, goarch

# A status file that lists nothing: all dependencies are named, whatever is installed.
_AS_IF_EMPTY = ("-o", "Dir::State::status=/dev/null", "-o", "APT::Install-Recommends=false", "-o", "Debug::NoLocking=1")
#: A machine that runs apt-get has these and their libraries; the C library among them must be the machine's own.
_EVERYWHERE = ("apt", "dpkg", "perl-base")
_TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


def release() -> str:
    """Return the release of the distribution whose packages apt-get finds, such as debian-12."""
    text = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return f"{fields.get('ID', 'unknown')}-{fields.get('VERSION_ID', 'unknown')}"


def unpack(packages: Sequence[str], root: Path, cure: str) -> None:
    """Download packages and what they depend on, and unpack them all into one folder.

    Raises:
        CannotBuildError: there is no apt-get here, or no network; `cure` is what else would do.
    """
    lacking = [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]
    if lacking:
        raise CannotBuildError(f"{' and '.join(lacking)} to fetch {', '.join(packages)} with is missing: {cure}.")
    names = sorted(_with_dependencies(packages, cure) - _with_dependencies(_EVERYWHERE, cure))
    with tempfile.TemporaryDirectory(prefix=".debs-", dir=root.parent) as work:
        download(names, Path(work), cure)
        for file in sorted(Path(work).glob("*.deb")):
            run(["dpkg-deb", "-x", str(file), str(root)], cure)


def environment(root: Path) -> dict[str, str]:
    """Return the environment in which programs of an unpacked root find each other and their libraries."""
    triplet = _TRIPLETS.get(goarch(), "")
    libraries = [root / folder for folder in _library_folders()]
    perl = [*root.glob("usr/share/perl/5.*"), *root.glob(f"usr/lib/{triplet}/perl/5.*"), root / "usr/share/perl5"]
    programs = [root / folder for folder in ("usr/sbin", "usr/bin", "sbin", "bin")]
    return {
        "PATH": ":".join([*map(str, programs), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]),
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "PERL5LIB": ":".join(map(str, perl)),
    }


def let_find_libraries(root: Path, program: str, place: Path, cure: str) -> None:
    """Write into an unpacked program that its libraries are in `place`, where the root will be; patchelf is in the root.

    A place relative to the program would not do: buildah runs from a copy of itself in memory.
    """
    # RPATH counts for the libraries of its libraries too, which the newer RUNPATH does not.
    folders = ":".join(str(place / folder) for folder in _library_folders())
    settings = [f"{name}={value}" for name, value in environment(root).items()]
    run(["env", *settings, "patchelf", "--force-rpath", "--set-rpath", folders, str(root / program)], cure)


def _library_folders() -> tuple[str, ...]:
    triplet = _TRIPLETS.get(goarch(), "")
    return f"usr/lib/{triplet}", f"lib/{triplet}", "usr/lib"


def download(packages: Iterable[str], folder: Path, cure: str) -> None:
    """Download packages into a folder; their lists are fetched first where there are none and this user may.

    Raises:
        CannotBuildError: they cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "--quiet", "download", *packages]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:
        _update(cure)
        run(command, cure, folder)


def run(command: list[str], cure: str, folder: Path | None = None) -> str:
    """Run a command and return what it printed.

    Raises:
        CannotBuildError: it failed.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise CannotBuildError(f"{' '.join(command[:3])} failed ({said[-1] if said else 'silently'}): {cure}.")
    return done.stdout


def _with_dependencies(packages: Sequence[str], cure: str) -> set[str]:
    command = ["apt-get", *_AS_IF_EMPTY, "-qq", "--print-uris", "install", *packages]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        _update(cure)
    # A line: 'address' name_version_architecture.deb size hash
    return set(re.findall(r"^'\S+' ([^_\s]+)_", run(command, cure), re.MULTILINE))


def _update(cure: str) -> None:
    if os.geteuid() == 0:
        run(["apt-get", "--quiet", "update"], cure)
