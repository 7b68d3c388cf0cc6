"""Make of the runbooks their list, and the one file in which they ship with the program."""

from __future__ import annotations

from pathlib import Path

from oidc_publisher.cli.explain.runbooks import joined_pages
from oidc_publisher.findings import CATALOGUE, ConditionType, Reason

PAGES = Path(__file__).resolve().parent.parent / "docs/runbooks"
INDEX = "README.md"
#: What each condition is about, in the order of the steps of a pass.
_ABOUT = {
    ConditionType.READY: "The object as a whole",
    ConditionType.KEYS_READ: "Read: the key sources",
    ConditionType.SAFE_TO_SIGN: "Plan: rotation",
    ConditionType.PUBLISHED: "Publish: the store",
    ConditionType.SERVED: "Prove: the public URL",
    ConditionType.TOKEN_ACCEPTED: "Prove: the cluster's tokens",
}


def packed() -> str:
    """All pages in one file, for `oidc-publisher explain REASON`."""
    pages = {path.stem: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md") if path.name != INDEX}
    return joined_pages(pages)


def index() -> str:
    """The list of all pages, in the order of the catalogue."""
    lines = [
        "# Runbooks",
        "",
        "One page for each reason of a condition, a finding or an event: what it means, what it breaks, how to be sure, what to do.",
        "`oidc-publisher explain REASON` prints the same page.",
    ]
    for condition, title in _ABOUT.items():
        lines += ["", f"## {title} ({condition})", "", "| reason | severity | meaning |", "|---|---|---|"]
        lines += [_row(reason) for reason in Reason if CATALOGUE[reason].condition is condition]
    return "\n".join([*lines, ""])


def _row(reason: Reason) -> str:
    entry = CATALOGUE[reason]
    return f"| [{reason}]({reason}.md) | {entry.severity} | {entry.meaning} |"
