"""The runbooks: one for each reason, each says what it has to say, and every command in them exists."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import click

from hack import runbooks
from oidc_publisher.cli.main import cli
from oidc_publisher.findings import CATALOGUE, Reason
from tests.support.foreach import for_each

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs/runbooks"
SECTIONS = ["Impact", "Who notices", "How to be sure", "What to do", "How to prevent it"]

#: Programs that are where people look after clusters, and the first words after which a command of them is plausible.
KUBECTL = {"auth", "create", "exec", "get", "logs", "patch", "scale", "top"}
AWS = {"cloudfront", "cloudtrail", "iam", "s3", "s3api", "s3control", "sts"}
OTHERS = {
    "basenc",
    "base64",
    "chronyc",
    "curl",
    "cut",
    "diff",
    "dig",
    "echo",
    "grep",
    "head",
    "helm",
    "openssl",
    "python3",
    "tr",
}
#: Words of a page that a reader replaces, and values that the parser takes.
_STAND_INS = {"issuer.yaml": "/dev/null", "NAME": "prod"}

_FENCED = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`((?:oidc-publisher|kubectl|aws|curl|openssl|dig) [^`]+)`")


def page(reason: Reason) -> str:
    return (PAGES / f"{reason}.md").read_text()


def commands_of(text: str) -> list[str]:
    """Every command of a page: the lines of its blocks of code, and commands within sentences."""
    lines = [line for block in _FENCED.findall(text) for line in block.splitlines() if line.strip()]
    return lines + _INLINE.findall(_FENCED.sub("", text))


def parts_of(command: str) -> list[list[str]]:
    """The programs of a pipe with their arguments, without redirections."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("|&;"):
            parts.append([])
        elif not re.match(r"\d?[<>]", word):
            parts[-1].append(word)
    return parts


def wrong(words: list[str]) -> str | None:
    """What is wrong with one command, None where it exists."""
    program, *rest = words
    if program == "kubectl":
        verbs = [word for word in rest if not word.startswith("-")]
        return None if KUBECTL & set(verbs[:2]) else f"kubectl {rest[:2]}"
    if program == "aws":
        return None if rest[0] in AWS else f"aws {rest[0]}"
    if program == "oidc-publisher":
        return wrong_for_us(rest)
    return None if program in OTHERS else program


def wrong_for_us(words: list[str]) -> str | None:
    """What our own parser says against a command."""
    name, *rest = words
    context = click.Context(cli)
    command = cli.get_command(context, name)
    if command is None:
        return f"there is no command {name}"
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(click.FileError):
            command.make_context(name, [_STAND_INS.get(word, word) for word in rest])
    except click.UsageError as error:
        # Within a sentence a command may stand without its arguments.
        return error.format_message() if rest else None
    return None


def test_none_is_missing_and_none_is_left_over() -> None:
    """A reason of the catalogue has a page, and a page has a reason."""
    assert {path.stem for path in PAGES.glob("*.md")} == {*Reason, "README"}


@for_each("reason", Reason)
def test_a_page_says_what_the_catalogue_says_and_more(reason: Reason) -> None:
    """Severity, condition, meaning and advice are the catalogue's; each section has something to say."""
    text, entry = page(reason), CATALOGUE[reason]
    head, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    assert head.startswith(f"# {reason}\n\n{entry.severity} \u00b7 condition {entry.condition}")
    assert ("makes it Unknown" in head) is entry.unknown
    assert ("only a person can mend it" in head) is entry.stalled
    unwrapped = " ".join(text.split())
    assert entry.meaning in unwrapped
    assert entry.hint in unwrapped or entry.hint == "Nothing to do."
    assert [section.partition("\n")[0] for section in sections] == SECTIONS
    assert all(len(section.partition("\n")[2].strip()) >= len("None.") for section in sections)


@for_each("reason", [reason for reason in Reason if CATALOGUE[reason].severity == "Critical"])
def test_a_critical_page_has_commands(reason: Reason) -> None:
    """At three at night nobody wants to make them up."""
    assert _FENCED.search(page(reason))


def test_no_two_pages_say_the_same() -> None:
    """What stands on every page is of no use on any."""
    bodies = [page(reason).partition("## Impact")[2] for reason in Reason if CATALOGUE[reason].severity != "Info"]
    assert len(set(bodies)) == len(bodies)


@for_each("reason", Reason)
def test_every_command_exists(reason: Reason) -> None:
    """Ours by our own parser, the others by what they are called with."""
    found = [
        (command, why) for command in commands_of(page(reason)) for words in parts_of(command) if (why := wrong(words))
    ]
    assert found == []


def test_the_check_of_commands_finds_what_does_not_exist() -> None:
    """A check that cannot fail is none."""
    text = "Run `oidc-publisher wiat prod`.\n```sh\nkubectl gte x\naws s4 ls | sort\noidc-publisher wait prod --for-ever\n```\n"
    found = [why for command in commands_of(text) for words in parts_of(command) if (why := wrong(words))]
    assert len(found) == 5


def test_the_list_names_every_page_once() -> None:
    """In the order of the catalogue, under what its condition is about."""
    index = runbooks.index()
    assert sorted(re.findall(r"\[(\w+)\]\(\w+\.md\)", index)) == sorted(Reason)
