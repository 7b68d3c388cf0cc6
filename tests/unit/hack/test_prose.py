"""hack/prose.py: one sentence a line in Markdown."""

from __future__ import annotations

import pytest

from hack.prose import documents, reflowed


@pytest.mark.parametrize(
    ("written", "reads"),
    [
        ("One. Two.", "One.\nTwo."),
        ("One goes\non. Two.", "One goes on.\nTwo."),
        ("One.\nkopf begins small.", "One.\nkopf begins small."),
        ("Why? *Because.* `x` does.", "Why?\n*Because.*\n`x` does."),
        ("See `a.B. C` and [this](x. Y) e.g. That.", "See `a.B. C` and [this](x. Y) e.g. That."),
        ("- One. Two.\n- Three\n  goes on.", "- One.\n  Two.\n- Three goes on."),
        ("1. One. Two.", "1. One.\n   Two."),
        ("- **R1.** A key enters. It stays.", "- **R1.** A key enters.\n  It stays."),
        ("**1. A bucket.** It is there.", "**1. A bucket.**\nIt is there."),
        ("> One\n> goes on. Two.", "> One goes on.\n> Two."),
        ("Version 1.5 is 3. Then.", "Version 1.5 is 3.\nThen."),
    ],
)
def test_a_sentence_has_a_line(written: str, reads: str) -> None:
    """Broken lines are joined, and sentences parted; what is right already stays."""
    assert reflowed(written) == reads
    assert reflowed(reads) == reads


@pytest.mark.parametrize(
    "text",
    [
        "# One. Two.",
        "| One. Two. |",
        "```sh\nOne. Two.\n  x\n```",
        "![One. Two.](x)",
        "One. Two.  ",
        "  ```\n  a. B\n  ```",
    ],
)
def test_what_is_no_prose_stays(text: str) -> None:
    """Headings, tables, code, images and hard breaks."""
    assert reflowed(text) == text


def test_the_documents_are_found() -> None:
    """`make check` reads them; what make bench writes is left out."""
    names = [path.name for path in documents()]
    assert {"README.md", "CONTRIBUTING.md", "rotation.md"} <= set(names)
    assert "performance.md" not in names
