"""What must hold before a release: one version everywhere, its tag, its section of the changelog, a clean checkout."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from oidc_publisher import __version__

ROOT = Path(__file__).resolve().parents[2]
#: A section that says less is no account of a release.
_LEAST_LINES = 1


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: what was looked at, what was found; `wrong` where a release must not go out so."""

    what: str
    found: str
    wrong: bool = False


def version_line(root: Path = ROOT) -> Line:
    """Compare the chart's two versions with the package's, from which they are made."""
    chart = yaml.safe_load((root / "charts/oidc-publisher/Chart.yaml").read_text(encoding="utf-8"))
    found = {"version": str(chart["version"]), "appVersion": str(chart["appVersion"])}
    stale = [f"Chart.yaml has {name} {value}" for name, value in found.items() if value != __version__]
    said = f"{__version__} in the package, the chart and its appVersion"
    return Line("version", "; ".join([__version__, *stale, "run make gen"]) if stale else said, bool(stale))


def tag_line(tag: str, version: str = __version__, *, at_head: list[str], elsewhere: list[str]) -> Line:
    """Judge the tag that a release is made from: `tag` where it was named, else the version tags at HEAD."""
    wanted = f"v{version}"
    tags = [tag] if tag else at_head
    if not tags and wanted in elsewhere:
        return Line("tag", f"{wanted} is there, at another commit: raise the version", wrong=True)
    if not tags:
        return Line("tag", f"none at this commit; {wanted} would be it")
    others = [one for one in tags if one != wanted]
    return Line("tag", f"{', '.join(others)} is not {wanted}" if others else wanted, bool(others))


def changelog_line(text: str, version: str = __version__) -> Line:
    """Look for the version's section in the changelog (Keep a Changelog: `## [1.2.3] - 2026-01-31`)."""
    found = re.search(rf"(?ms)^## \[?{re.escape(version)}\]?(?: .*?)?$(.*?)(?=^## |\Z)", text)
    if found is None:
        return Line("changelog", f"CHANGELOG.md has no section {version}", wrong=True)
    entries = [line for line in found[1].splitlines() if line.startswith("- ")]
    return Line("changelog", f"section {version}, {len(entries)} entries", len(entries) < _LEAST_LINES)


def tree_line(status: str) -> Line:
    """Judge what `git status --porcelain` says."""
    changed = status.splitlines()
    named = ", ".join(line[3:] for line in changed[:3])
    return Line(
        "checkout", f"{len(changed)} files differ from the commit: {named}" if changed else "clean", bool(changed)
    )


def git(*arguments: str) -> str:
    """Return what git says of this checkout."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.rstrip("\n")


def checkout_lines(tag: str) -> list[Line]:
    """Make the lines of everything that is decided by the checkout alone."""
    tags = git("tag", "--list", "v*").split()
    return [
        version_line(),
        tag_line(tag, at_head=git("tag", "--points-at", "HEAD", "--list", "v*").split(), elsewhere=tags),
        changelog_line((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")),
        tree_line(git("status", "--porcelain")),
    ]
