"""OIDCIssuers to accept (`good/`) and to refuse (`bad/`), each file named for what it shows or for its defect.

The same of SigningKeyRings is in `rings/`.

A bad file begins with `# expect: <part of the API server's message>`. One of two documents is about a change: the first
is created, the second refused. `# offline: accepted` marks what only the API server can refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
#: That of C, ten times as fast, which a PyYAML built without libyaml lacks.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
RINGS = HERE / "rings"


@dataclass(frozen=True, slots=True)
class BadObject:
    """An object that must be refused; `before` is what it replaces, None where it is new."""

    name: str
    expect: str
    accepted_offline: bool
    before: dict[str, Any] | None
    document: dict[str, Any]


def good_objects(folder: Path = HERE) -> dict[str, dict[str, Any]]:
    """Every good object by the name of its file."""
    return {file.stem: _documents(file.read_text(encoding="utf-8"))[0] for file in sorted(folder.glob("good/*.yaml"))}


def bad_objects(folder: Path = HERE) -> dict[str, BadObject]:
    """Every bad object by the name of its file."""
    return {file.stem: _bad_object(file) for file in sorted(folder.glob("bad/*.yaml"))}


def _bad_object(file: Path) -> BadObject:
    text = file.read_text(encoding="utf-8")
    first, *others = text.splitlines()
    if not first.startswith("# expect: "):
        raise ValueError(f"{file.name} does not begin with `# expect: `")
    *before, document = _documents(text)
    offline = any(line.startswith("# offline: accepted") for line in others) or bool(before)
    return BadObject(file.stem, first.removeprefix("# expect: "), offline, before[0] if before else None, document)


def _documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.load_all(text, _LOADER))  # a safe one in either case
