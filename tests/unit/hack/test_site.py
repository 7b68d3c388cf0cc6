"""The site of the docs is not built where a link leads nowhere, and has every page in its menu."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
OTHER = "# There\n"


def built(folder: Path, **pages: str) -> subprocess.CompletedProcess[str]:
    """Build a site of these pages with the settings of this repository."""
    docs = folder / "docs"
    docs.mkdir()
    for name, text in pages.items():
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


def test_every_page_is_in_the_menu(tmp_path: Path) -> None:
    """A page that nobody put into an order is there nevertheless."""
    done = built(tmp_path, index="# Here\n", other=OTHER)
    assert done.returncode == 0, done.stderr
    assert 'href="other/"' in (tmp_path / "site" / "index.html").read_text()


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    """The page, the anchor, and a link that works on one host alone are named."""
    links = ("gone.md", "other.md#nowhere", "/other.md")
    done = built(tmp_path, index="# Here\n\n" + " ".join(f"[link]({link})" for link in links), other=OTHER)
    assert done.returncode != 0
    assert [link for link in links if f"'{link}'" not in done.stderr] == []
