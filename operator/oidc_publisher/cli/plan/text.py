"""The preview as text: a diff of each document, and a table of the keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from oidc_publisher.cli.plan.keys import Change
from oidc_publisher.cli.plan.preview import DocumentPlan, Preview, Result
from oidc_publisher.cli.text.console import (
    INDENT,
    caveat,
    coloured,
    finding_block,
    plain,
    print_sections,
    table_of,
    titled,
)
from oidc_publisher.cli.text.keyids import shortened

_RESULTS = {
    Result.NOTHING_TO_DO: ("nothing to do", "bold green"),
    Result.WOULD_CHANGE: ("would change", "bold yellow"),
    Result.REFUSED: ("refused", "bold red"),
    Result.CANNOT_TELL: ("cannot tell", "bold red"),
}
_SIGNS = {
    Change.ENTERS: ("+", "green"),
    Change.LEAVES: ("-", "red"),
    Change.WAITS: ("~", "yellow"),
    Change.STAYS: ("", ""),
}
_CHANGES = {"created": "green", "changed": "yellow", "unchanged": "dim", "untouched": "dim"}
_AGAIN = "Another write follows in the same pass: one that adds a key removes none."


def print_preview(preview: Preview, console: Console, now: datetime) -> None:
    """Write a preview to a console."""
    print_sections(_sections(preview, now), console)


def _sections(preview: Preview, now: datetime) -> Iterator[Group]:
    yield Group(*_header(preview))
    if preview.documents:
        written = any(document.diff for document in preview.documents)
        title = "DOCUMENTS, in the order of writing" if written else "DOCUMENTS"
        documents = (_document(number, document) for number, document in enumerate(preview.documents, start=1))
        yield titled(title, *documents, *(plain(line) for line in _afterwards(preview)))
    if preview.keys:
        yield titled("KEYS, newest first", _keys(preview))
    if preview.events:
        yield titled("EVENTS that would be recorded", _events(preview))
    if preview.findings:
        yield titled("FINDINGS, root cause first", *(finding_block(finding, now) for finding in preview.findings))


def _header(preview: Preview) -> Iterator[RenderableType]:
    words, style = _RESULTS[preview.result]
    yield plain(preview.name, "bold") + Text("  ") + Text(words, style=style)
    yield plain(preview.sentence)
    yield from map(caveat, preview.caveats)
    facts = table_of("", "")
    facts.add_row("Object", plain(preview.object))
    facts.add_row("Issuer", plain(preview.issuer_url))
    if preview.location:
        facts.add_row("Store", plain(preview.location))
        facts.add_row("Owner", plain(f"{preview.owner}, {_serial(preview)}"))
    if preview.read:
        facts.add_row("Read", plain(preview.read))
    if preview.public:
        facts.add_row("Public", plain(preview.public))
    yield facts


def _afterwards(preview: Preview) -> Iterator[str]:
    if preview.more:
        yield _AGAIN
    if preview.distribution:
        yield f"Then copies are invalidated at CloudFront distribution {preview.distribution}."


def _serial(preview: Preview) -> str:
    following = f" -> {preview.next_serial}" if preview.next_serial is not None else ""
    return f"serial {preview.serial}{following}"


def _document(number: int, document: DocumentPlan) -> Group:
    place = f"{number}. " if document.diff else ""
    title = plain(f"{place}{document.path}", "bold") + Text("  ")
    title.append(document.change, style=_CHANGES[document.change])
    if document.reason:
        title.append(": ").append_text(plain(document.reason))
    return Group(title, *(Padding(_line(line), (0, 0, 0, INDENT)) for line in document.diff))


def _line(line: str) -> Text:
    """Colour a line of a diff as git does."""
    if line.startswith(("--- ", "+++ ")):
        return plain(line, "bold")
    style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
    return plain(line, style)


def _keys(preview: Preview) -> Table:
    table = table_of("", "KEY", "VERSION", "ALG", "STATE", "")
    short = shortened(key.key_id for key in preview.keys)
    for key in preview.keys:
        sign, style = _SIGNS[key.change]
        said = plain(f"{key.change}: {key.sentence}" if key.sentence else key.change)
        names = (plain(sign, style), plain(short[key.key_id], style or "bold"))
        table.add_row(*names, plain(key.version), plain(key.algorithm), coloured(key.state), said)
    return table


def _events(preview: Preview) -> Table:
    table = table_of("", "")
    for event in preview.events:
        table.add_row(plain(event.reason, "bold"), plain(event.message))
    return table
