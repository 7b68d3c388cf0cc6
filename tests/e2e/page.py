"""Run the commands of a page of the documentation, as a reader would type them."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import binaries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_FENCE = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Block:
    """Commands between ```bash and ```, and the line of the page where they begin."""

    line: int
    commands: str


class BlockFailedError(AssertionError):
    """A block's exit code is not 0; the text names its line, and shows what was printed."""


def blocks(page: str) -> list[Block]:
    """The commands of a page in their order; blocks of other kinds, such as ```console, are for the reader's eyes."""
    return [Block(page[: found.start()].count("\n") + 2, found[1]) for found in _FENCE.finditer(page)]


def run(page: Path, folder: Path, environment: Mapping[str, str]) -> str:
    """Run all blocks in one shell, from which the first failure is the end; returns what they printed.

    Raises:
        BlockFailedError: a command failed.
    """
    found = blocks(page.read_text())
    assert found, f"{page} has no ```bash"
    script = "\n".join(f"BLOCK={block.line}\n{block.commands}" for block in found)
    programs = _programs(folder, ("kubectl", "helm"))
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\ntrap 'echo \"failed: line $BLOCK\" >&2' ERR\n{script}"],
        cwd=folder,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    if done.returncode:
        raise BlockFailedError(f"{page.name}: {done.stderr[-3000:]}\n{done.stdout[-3000:]}")
    return done.stdout


def _programs(folder: Path, names: Sequence[str]) -> Path:
    """A folder with the testbed's programs under the names that a reader types."""
    programs = folder / "programs"
    programs.mkdir()
    for name in names:
        (programs / name).symlink_to(binaries.find(name))
    return programs
