"""The site of the docs is not built where a link leads nowhere, and has every page in its menu."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OTHER = "# There\n"


def built(folder: Path, **pages: str) -> subprocess.CompletedProcess[str]:
    """Build a site of these pages, or of all, with the settings of this repository."""
    docs = folder / "docs" if pages else ROOT / "docs"
    for name, text in pages.items():
        docs.mkdir(exist_ok=True)
        (docs / f"{name}.md").write_text(text)
    settings = folder / "mkdocs.yml"
    settings.write_text(f"INHERIT: {ROOT / 'mkdocs.yml'}\ndocs_dir: {docs}\nsite_dir: {folder / 'site'}\n")
    return subprocess.run(
        [ROOT / ".venv/bin/mkdocs", "build", "--config-file", str(settings)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )


@pytest.mark.slow  # a process of its own, and its imports
def test_every_page_is_in_the_menu(tmp_path: Path) -> None:
    """A page that nobody put into an order is there nevertheless."""
    done = built(tmp_path, index="# Here\n", other=OTHER)
    assert done.returncode == 0, done.stderr
    assert 'href="other/"' in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.slow
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    """The page, the anchor, and a link that works on one host alone are named."""
    links = ("gone.md", "other.md#nowhere", "/other.md")
    done = built(tmp_path, index="# Here\n\n" + " ".join(f"[link]({link})" for link in links), other=OTHER)
    assert done.returncode != 0
    assert [link for link in links if f"'{link}'" not in done.stderr] == []


def markdown_left(page: str) -> list[str]:
    """Lines of a page's paragraphs that still look like Markdown: a list, a table or a fence that was taken for text."""
    article = re.sub(r"<(pre|code)\b.*?</\1>", "CODE", page, flags=re.DOTALL)
    paragraphs = re.findall(r"<(?:p|li)>(.*?)</", article, re.DOTALL)
    lines = [line.strip() for text in paragraphs for line in text.splitlines()]
    return [line for line in lines if re.search(r"^(- |\d+\. |\|)|`|\*\*|\]\(", line)]


@pytest.mark.slow
def test_no_markdown_is_left_in_a_page(tmp_path: Path) -> None:
    """GitHub and the site read lists differently, so the site is looked at; the first page shows that this can fail."""
    broken = "# Here\n\nA list:\n- one\n- two\n\n1. a step\n   ```sh\n   ls\n   ```\n"
    assert built(tmp_path, index=broken).returncode == 0
    assert markdown_left((tmp_path / "site" / "index.html").read_text()) == ["- one", "- two"]
    whole = tmp_path / "whole"
    whole.mkdir()
    done = built(whole)
    assert done.returncode == 0, done.stderr
    pages = sorted(whole.glob("site/**/index.html"))
    assert len(pages) > 20
    left = {str(page.relative_to(whole)): markdown_left(page.read_text()) for page in pages}
    assert {page: lines for page, lines in left.items() if lines} == {}
