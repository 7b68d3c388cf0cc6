"""Packages are unpacked into a folder that serves machines with fewer of them, and never over the C library."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hack.testbed import debian
from hack.testbed.cache import CannotBuildError

#: Prints what apt-get prints: of `tool` it needs libc6 and libtool1, of apt and the others libc6 alone.
_APT_GET = """#!/bin/sh
case "$*" in
  *--print-uris*tool) names="libc6 libtool1 tool" ;;
  *--print-uris*) names="libc6" ;;
  *download*) shift 2; for name in "$@"; do : >"$name.deb"; done; exit 0 ;;
esac
for name in $names; do echo "'http://deb.example.test/$name.deb' ${name}_1%3a2_amd64.deb 1 SHA256:0"; done
"""
_DPKG_DEB = """#!/bin/sh
mkdir -p "$3" && : >"$3/$(basename "$2" .deb)"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an apt-get and a dpkg-deb of ours."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"apt-get": _APT_GET, "dpkg-deb": _DPKG_DEB}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return programs


def test_what_a_package_depends_on_is_unpacked_but_not_what_every_machine_has(machine: Path, tmp_path: Path) -> None:
    """Two C libraries in one process crash it."""
    del machine
    root = tmp_path / "root"
    debian.unpack(["tool"], root, "install it")
    assert sorted(path.name for path in root.iterdir()) == ["libtool1", "tool"]


def test_a_machine_without_apt_is_told_what_else_would_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the missing programs and the cure."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotBuildError, match=r"^apt-get and dpkg-deb to fetch tool with is missing: install it\.$"):
        debian.unpack(["tool"], tmp_path / "root", "install it")


def test_unpacked_programs_come_before_the_machines_own(tmp_path: Path) -> None:
    """So that every machine runs the same ones."""
    program = tmp_path / "usr" / "bin" / "true"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho unpacked\n")
    program.chmod(0o755)
    said = subprocess.run(
        ["/bin/sh", "-c", "env true"], env=debian.environment(tmp_path), capture_output=True, check=True
    )
    assert said.stdout == b"unpacked\n"


def test_a_program_that_loses_its_environment_knows_where_its_libraries_are(tmp_path: Path) -> None:
    """By the place where the root will be, since the program may run from a copy of itself. Here `patchelf` only tells."""
    tool = tmp_path / "usr" / "bin" / "patchelf"
    tool.parent.mkdir(parents=True)
    tool.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$(dirname "$0")/told"\n')
    tool.chmod(0o755)
    debian.let_find_libraries(tmp_path, "usr/bin/tool", Path("/kept/image"), "install it")
    *_, places, program = (tool.parent / "told").read_text().splitlines()
    assert program == str(tmp_path / "usr/bin/tool")
    assert all(place.startswith("/kept/image/") for place in places.split(":"))
    assert "/kept/image/usr/lib" in places
