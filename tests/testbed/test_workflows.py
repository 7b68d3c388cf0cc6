"""The workflows of .github: none of them runs here, so they are read by what knows GitHub's rules."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support import binaries

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def lint(*files: Path) -> tuple[int, str]:
    """Return actionlint's exit code and what it says."""
    command = [str(binaries.find("actionlint")), "-no-color", "-oneline", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    """Syntax, expressions, names of jobs, steps and outputs, labels of runners."""
    assert WORKFLOWS
    assert lint(*WORKFLOWS) == (0, "")


def test_actionlint_would_find_something(tmp_path: Path) -> None:
    """An output that no step has."""
    broken = tmp_path / "broken.yml"
    job = "runs-on: ubuntu-latest\n    steps: [{run: 'echo ${{ steps.nobody.outputs.digest }}'}]"
    broken.write_text(f"on: push\njobs:\n  one:\n    {job}\n")
    code, said = lint(broken)
    assert code == 1
    assert 'property "nobody" is not defined' in said


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_rights_are_few(workflow: Path) -> None:
    """A tag can be moved by whoever owns the action, a commit cannot; the comment beside it says which version it was."""
    text = workflow.read_text()
    for used in re.findall(r"uses: (.*)", text):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used) or used.startswith("./"), used
    assert "\npermissions:\n  contents: read\n" in text
