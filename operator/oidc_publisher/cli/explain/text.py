"""The explanation as text: fitted to the width of a terminal, or in lines of any length for a pipe."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from oidc_publisher.cli.explain.explanation import ExplanationPage, ReasonMeaning, TextMeaning
from oidc_publisher.cli.text.console import INDENT, coloured, marked, plain, print_sections, table_of
from oidc_publisher.harmless import harmless

#: A link to another page of the repository, which leads nowhere in a terminal; its words name the page.
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)")


def print_explanation(page: ExplanationPage, console: Console) -> None:
    """Write the explanation of a text to a console."""
    print_sections(_sections(page), console)
    if not page.commands:
        return
    console.file.write("\n")
    print_sections([Text("LOOK FURTHER", style="bold")], console)
    for command in page.commands:
        # The terminal breaks a long line itself, so that what people copy has no line break.
        console.file.write(f"  {harmless(command)}\n")
    for note in _notes(page):
        print_sections([Padding(note, (0, 0, 0, INDENT))], console)


def print_runbook(markdown: str, console: Console) -> None:
    """Write a runbook: formatted for a terminal, as it is for a pipe."""
    if console.is_terminal:
        console.print(Markdown(_LINK.sub(r"\1", markdown), hyperlinks=False))
    else:
        console.file.write(markdown)


def _sections(page: ExplanationPage) -> Iterator[RenderableType]:
    for number, meaning in enumerate(page.texts):
        yield from _text_sections(meaning, first=not number)
    for reason in page.reasons:
        yield _reason_section(reason)


def _text_sections(meaning: TextMeaning, *, first: bool) -> Iterator[RenderableType]:
    title = plain(f"{meaning.party}: ", "bold") + plain(meaning.text)
    if not first:
        title = Text("Also in the text, round the error above: ", style="dim") + title
    yield Group(title, plain(meaning.meaning))
    facts = table_of("", "")
    _add(facts, "Causes", meaning.causes)
    _add(facts, "Settled by", meaning.checks)
    facts.add_row("To do", plain(meaning.advice, "bold"))
    _add(facts, "Seen at", meaning.sources)
    yield facts


def _add(facts: Table, label: str, lines: tuple[str, ...]) -> None:
    for number, line in enumerate(lines):
        facts.add_row("" if number else label, plain(line))


def _reason_section(reason: ReasonMeaning) -> Group:
    title = coloured(reason.severity) + Text(" ") + plain(reason.reason, "bold")
    more = plain(f"oidc-publisher explain {reason.reason}", "dim")
    return Group(title, plain(reason.meaning), marked("->", reason.advice), more)


def _notes(page: ExplanationPage) -> Iterator[RenderableType]:
    needed = " ".join(page.commands)
    if " URL" in needed:
        yield plain("URL is the issuer: the token's iss, which the text does not have.", "dim")
    if "TOKEN_FILE" in needed:
        yield plain(
            "The token has to be the one that the failing process holds, not a fresh one; it is sent nowhere.", "dim"
        )
    if page.key_id:
        yield plain(f"Look for the kid {page.key_id} among the served keys.", "dim")
    if page.subject:
        yield plain(f"The text speaks of {page.subject}.", "dim")
