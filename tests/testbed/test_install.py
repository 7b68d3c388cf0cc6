"""`hack/install`, `hack/ordinary` and `hack/debian13` on machines that lack something: one sentence, with the cure, and nothing half-made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
# Debian's python3 without python3-venv: `venv` is there, makes half of the folder, and fails for want of ensurepip.
WITHOUT_ENSUREPIP = """#!/bin/sh
case "$*" in
*venv\\ .venv) mkdir -p .venv/bin; echo "The virtual environment was not created successfully"; exit 1 ;;
*ensurepip*) exit 1 ;;
esac
"""
OLD = "#!/bin/sh\nexit 1\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a path with a space."""
    folder = tmp_path / "a checkout"
    (folder / "hack").mkdir(parents=True)
    for name in ("hack/install", "hack/ordinary", "hack/debian13", "requirements.lock"):
        shutil.copy(REPOSITORY / name, folder / name)
    return folder


def python(folder: Path, script: str) -> Path:
    path = folder / "its python"
    path.write_text(script)
    path.chmod(0o755)
    return path


def run(checkout: Path, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(checkout / "hack" / script), *arguments]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=30
    )


def test_a_python_that_is_too_old_is_refused(checkout: Path) -> None:
    """The oldest that the tests have run with is the oldest that is taken."""
    done = run(checkout, "install", PYTHON=str(python(checkout, OLD)))
    assert done.returncode == 2
    assert done.stderr.startswith("oidc-publisher needs Python 3.11.2 or newer: install it")


def test_a_python_without_its_venv_module_names_the_package(checkout: Path) -> None:
    """Nothing half-made is left that the next try would take for whole."""
    done = run(checkout, "install", PYTHON=str(python(checkout, WITHOUT_ENSUREPIP)))
    assert done.returncode == 2
    assert "cannot make a virtual environment without its venv module: apt-get install python3-venv" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (checkout / ".venv").exists()


def test_the_oldest_python_is_the_same_everywhere() -> None:
    """What the package says, what hack/install takes, what is promised, and what the workflows run."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=")
    as_tuple = tuple(map(int, oldest.split(".")))
    assert f"sys.version_info < {as_tuple}" in (REPOSITORY / "hack" / "install").read_text()
    assert f"sys.version_info < {as_tuple}" in (REPOSITORY / "hack" / "ordinary").read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        assert f"Python {oldest} or newer" in (REPOSITORY / page).read_text()
    workflow = (REPOSITORY / ".github" / "workflows" / "test.yml").read_text()
    run_with = set(re.findall(r'"(3\.\d+)(?:\.\d+)?"', workflow)) | {"3.11"}
    named = {text.rpartition(" ")[2] for text in project["classifiers"] if re.search(r":: 3\.\d+$", text)}
    assert named == run_with
    assert oldest in workflow


def test_an_ordinary_run_that_is_impossible_says_why(checkout: Path) -> None:
    """The part of CI is left out with its reason; who asked for the whole run gets an exit code of it."""
    old = str(python(checkout, OLD))
    for arguments, code in ((("short",), 0), ((), 2)):
        done = run(checkout, "ordinary", *arguments, ORDINARY_PYTHON=old)
        assert done.returncode == code
        assert done.stderr.startswith("ordinary: not run: ")


@pytest.mark.skipif(os.geteuid() != 0, reason="root is asked for before")
def test_an_ordinary_run_names_the_python_that_will_not_do(checkout: Path) -> None:
    """And how to name another one."""
    done = run(checkout, "ordinary", ORDINARY_PYTHON=str(python(checkout, OLD)))
    assert "is no Python 3.11.2 or newer with its venv module (ORDINARY_PYTHON names another one)" in done.stderr


@pytest.mark.parametrize(
    ("command", "path", "why"),
    [
        ((), "/usr/bin:/bin", "name a command, such as make unit"),
        (("make", "unit"), "/nowhere", "mmdebstrap is missing"),
    ],
    ids=["no command", "no mmdebstrap"],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="root is asked for before")
def test_a_run_under_debian_13_that_is_impossible_says_why(
    command: tuple[str, ...], path: str, why: str, checkout: Path, tmp_path: Path
) -> None:
    """Nothing is unpacked, nothing is copied."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "id", "dirname"):
        (programs / name).symlink_to(shutil.which(name) or name)
    done = run(checkout, "debian13", *command, PATH=f"{programs}:{path}", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"debian13: not run: {why}")
    assert not (tmp_path / "cache").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_a_run_under_debian_13_wants_root(checkout: Path) -> None:
    """Before anything else is looked for."""
    assert run(checkout, "debian13", "make", "unit").stderr == "debian13: not run: root sets it up\n"
