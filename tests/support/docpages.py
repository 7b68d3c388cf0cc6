"""The pages of the docs as their readers use them: blocks of code, and the commands in them."""

from __future__ import annotations

import itertools
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for pattern in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**/*.md", "charts/*/README.md", "hack/**/*.md")
    for path in ROOT.glob(pattern)
)
#: Languages of blocks whose lines are typed into a shell. An unnamed block is output.
_SHELLS = {"sh", "bash"}

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEREDOC = re.compile(r"<<-?'?(?P<end>\w+)'?[^\n]*\n.*?^(?P=end)$", re.DOTALL | re.MULTILINE)
_CONTINUED = re.compile(r"\\\n\s*")
#: Where one command ends and the next begins, outside of quotes.
_BETWEEN = {";", "&&", "||", "|", "(", ")", "{", "}", "&"}
#: Words of the shell before a command.
_BEFORE = {"if", "then", "else", "do", "while", "until", "!", "time", "sudo"}


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code, without the indentation of the list that it stands in."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        """The page and the line, for messages."""
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    """The page as people name it."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page in these languages, or all."""
    text = page.read_text()
    found = [
        Block(name_of(page), text.count("\n", 0, match.start()) + 1, match["language"], textwrap.dedent(match["text"]))
        for match in _FENCE.finditer(text)
    ]
    return [block for block in found if not languages or block.language in languages]


def typed(page: Path, heading: str) -> str:
    """The blocks marked bash below a heading, up to the next one, joined: what a reader types there and a test runs."""
    lines = page.read_text().splitlines()
    own = next(number for number, line in enumerate(lines, 1) if re.fullmatch(rf"#+ {re.escape(heading)}", line))
    code = {n for block in blocks(page) for n in range(block.line, block.line + block.text.count("\n") + 2)}
    after = (n for n, line in enumerate(lines, 1) if n > own and n not in code and re.match(r"#+ ", line))
    end = next(after, len(lines) + 1)
    return "".join(block.text for block in blocks(page, "bash") if own < block.line < end)


def commands(page: Path) -> Iterator[list[str]]:
    """The commands of a page as words: those of blocks for a shell, and those in the prose between backticks."""
    for block in blocks(page, *_SHELLS):
        yield from _commands(_HEREDOC.sub("", block.text))
    for block in blocks(page, "console"):
        for line in block.text.splitlines():
            if line.startswith("$ "):
                yield from _commands(line[2:])
    for span in _SPAN.findall(_FENCE.sub("", page.read_text())):
        yield from _commands(span)


def _commands(text: str) -> Iterator[list[str]]:
    for line in _CONTINUED.sub(" ", text).splitlines():
        yield from _split(line)
        for inner in re.findall(r"\$\(([^()]*(?:\([^()]*\)[^()]*)*)\)", line):
            yield from _split(inner)


def _split(line: str) -> Iterator[list[str]]:
    """The simple commands of a line; nothing where the quotes are of prose, or reach over several lines."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|(){}")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        words = line.split(" #", maxsplit=1)[0].replace("'", "").replace('"', "").split()
    command: list[str] = []
    for word in [*words, ";"]:
        if word in _BETWEEN or set(word) <= set(";&|(){}"):
            if command:
                yield command
            command = []
        elif command or (word not in _BEFORE and not re.match(r"^\w+=", word)):
            command.append(word)


def runs(page: Path, program: str) -> Iterator[list[str]]:
    """The words after a program's name, wherever a command of the page runs it, `kubectl exec ... --` included."""
    for words in commands(page):
        inner = words[words.index("--") + 1 :] if words[0] == "kubectl" and "--" in words else words
        if inner and PurePosixPath(inner[0]).name == program:
            yield list(itertools.takewhile(lambda word: not re.match(r"\d?[<>]", word), inner[1:]))


def manifests(kind: str) -> dict[str, dict[str, Any]]:
    """The manifests of a kind in the YAML of all pages, by where they stand."""
    return {
        block.where: document
        for page in PAGES
        for block in blocks(page, "yaml")
        for document in yaml.load_all(block.text, yaml.CSafeLoader)
        if isinstance(document, dict) and document.get("kind") == kind
    }


def kubeadm_edited(page: Path, file: Path, *, into: bool) -> None:
    """Edit a kubeadm.yaml as the page says: its own YAML is added to the first document, or taken away again."""
    block = next(block for block in blocks(page, "yaml") if "signing-endpoint" in block.text)
    added = yaml.safe_load(block.text)["apiServer"]
    cluster, own = yaml.safe_load_all(file.read_text())
    server = cluster["apiServer"]
    for name, entries in added.items():
        kept = [entry for entry in server.get(name, []) if entry["name"] not in {each["name"] for each in entries}]
        server[name] = [*kept, *(entries if into else ())]
    file.write_text(yaml.safe_dump_all([cluster, own], sort_keys=False))
