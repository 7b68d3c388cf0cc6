"""Every link from one page of the repository to another leads to a file and a heading that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.foreach import for_each

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "charts/**/*.md", "hack/**/*.md", ".github/**/*.md")
    for path in ROOT.glob(pattern)
)
#: Where code, messages for people and other files name a page by its path.
NAMING = sorted(
    path
    for pattern in ("operator/**/*.py", "hack/**/*.py", "charts/**/*.yaml", "charts/**/*.txt", "Makefile", "*.md")
    for path in ROOT.glob(pattern)
)

_FENCED = re.compile(r"^ *(```|~~~).*?^ *\1", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!\w+:)([^)\s]+)\)|^\[[^\]]+\]:\s+(?!\w+:)(\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_NAMED = re.compile(r"(?<![\w./-])docs/[\w./-]+\.(?:md|svg)")


def links_of(page: Path) -> Iterator[str]:
    """The relative links of a page, without those in blocks of code."""
    return (inline or defined for inline, defined in _LINK.findall(_FENCED.sub("", page.read_text())))


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page: in lower case, blanks as hyphens, punctuation left out."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(_FENCED.sub("", page.read_text())):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-")
        found[name] = found.get(name, 0) + 1
    return {name if number == 0 else f"{name}-{number}" for name, times in found.items() for number in range(times)}


def leads_nowhere(page: Path, link: str) -> bool:
    """Whether the file or the heading of a link is missing."""
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return not target.exists() or bool(anchor and target.suffix == ".md" and anchor not in anchors_of(target))


@for_each("page", PAGES)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A page or a heading that is renamed takes its links with it."""
    assert [link for link in links_of(page) if leads_nowhere(page, link)] == []


def test_every_page_that_a_text_names_exists() -> None:
    """Messages and comments name pages by their path from the top of the repository."""
    named = {(path, found) for path in NAMING for found in _NAMED.findall(path.read_text())}
    assert len(named) > 5, "this test reads what it means to read"
    assert {(str(path.relative_to(ROOT)), found) for path, found in named if not (ROOT / found).exists()} == set()


def test_broken_links_are_found(tmp_path: Path) -> None:
    """A missing page, a missing heading of another page and of this one; a block of code and other hosts are left alone."""
    (tmp_path / "other.md").write_text("# The `kid`, again\n\n## Twice\n\n## Twice\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](gone.md) [b](other.md#once) [c](#there) [d](https://example.com/x.md)\n"
        "[e](other.md#the-kid-again) [f](other.md#twice-1) [g](#here) [h](other.md)\n[i]: lost.md\n"
        "```md\n[j](code.md)\n```\n"
    )
    assert len(PAGES) > 15, "this test reads what it means to read"
    assert [link for link in links_of(page) if leads_nowhere(page, link)] == [
        "gone.md",
        "other.md#once",
        "#there",
        "lost.md",
    ]
