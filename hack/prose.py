"""Write one sentence a line in Markdown, or with --check name the files in which that is not so.

A diff then shows the sentence that changed. Code, tables, headings and lines that end in a hard break stay as they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Written by `make bench`, whose sentences come out of a program.
_GENERATED = {"docs/reference/performance.md"}

_FENCE = re.compile(r"\s*(```|~~~)")
#: What is not prose: headings, tables, comments, images and links alone on a line, definitions of links.
_APART = re.compile(r"\s*(#|\||<|!\[|\[[^\]]+\]:|---\s*$)")
_ITEM = re.compile(r"(?P<mark>\s*(?:[-*+]|\d+[.)])\s+|>\s?)")
_CLOSERS = r"[)\]\"'*_`]*"
#: A sentence ends here and another begins: it begins with a capital, or with what may stand before one.
_BOUNDARY = re.compile(rf"(?<=[.!?]){_CLOSERS}\s+(?=[\"'(*_`\[]*[A-Z0-9`\x00])")
_ENDED = re.compile(rf"[.!?]{_CLOSERS}$")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|cf|vs|No|resp)|^[*_]*(?:\d+|[A-Z]\d*))\.$")
_CODE = re.compile(r"`[^`]*`|\]\([^)]*\)")


def reflowed(text: str) -> str:
    """The Markdown with one sentence a line. A line that ends a sentence already is left as it is."""
    return "\n".join(_lines(text.split("\n")))


def _lines(lines: list[str]) -> Iterator[str]:
    block: list[str] = []
    fenced = ""
    for line in lines:
        fence = _FENCE.match(line)
        if fence and fenced in ("", fence[1]):
            fenced = "" if fenced else fence[1]
            yield from _paragraph(block)
            block = []
            yield line
        elif fenced or not line.strip() or _APART.match(line) or line.endswith(("  ", "\\")):
            yield from _paragraph(block)
            block = []
            yield line
        else:
            if _ITEM.match(line) and not (block and line.startswith(">") and block[0].startswith(">")):
                yield from _paragraph(block)
                block = []
            block.append(line)
    yield from _paragraph(block)


def _paragraph(block: list[str]) -> Iterator[str]:
    """The sentences of a paragraph or an item of a list, each on a line below the first one's text."""
    if not block:
        return
    item = _ITEM.match(block[0])
    first = item["mark"] if item else re.match(r"\s*", block[0])[0]  # type: ignore[index] # it always matches
    further = first if first.startswith(">") else " " * len(first)
    joined = block[0][len(first) :].strip()
    for line in block[1:]:
        text = line.strip().removeprefix(">").strip() if first.startswith(">") else line.strip()
        joined += ("\n" if _ENDED.search(joined) and not _ABBREVIATION.search(joined) else " ") + text
    indent = first
    for part in joined.split("\n"):
        for sentence in _sentences(part):
            yield indent + sentence
            indent = further


def _sentences(text: str) -> Iterator[str]:
    masked = _CODE.sub(lambda code: code[0][0] + "\x00" * (len(code[0]) - 2) + code[0][-1], text)
    begin = 0
    for boundary in _BOUNDARY.finditer(masked):
        if not _ABBREVIATION.search(masked[begin : boundary.start()]):
            end = boundary.start() + len(boundary[0].rstrip())
            yield text[begin:end]
            begin = boundary.end()
    yield text[begin:]


def documents() -> Iterator[Path]:
    """The Markdown that people write, but for what a program wrote and for lists of changes."""
    for pattern in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "docs/**/*.md"):
        yield from (path for path in sorted(ROOT.glob(pattern)) if str(path.relative_to(ROOT)) not in _GENERATED)


def main() -> int:
    """Write the files, or say which ones would change."""
    wrong = [path for path in documents() if reflowed(path.read_text()) != path.read_text()]
    if "--check" in sys.argv[1:]:
        for path in wrong:
            print(f"{path.relative_to(ROOT)} has more or less than one sentence a line: run make fmt")
        return 1 if wrong else 0
    for path in wrong:
        path.write_text(reflowed(path.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
