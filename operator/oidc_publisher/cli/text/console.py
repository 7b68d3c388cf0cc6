"""The parts of a page of text: consoles, titles, tables, and foreign text made harmless."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from oidc_publisher.api import StatusFinding, format_time
from oidc_publisher.cli.text.times import away, both

#: The width of a pipe or a file, where no person reads: no line is cut or wrapped.
_ENDLESS = 10_000
INDENT = 2
#: The narrowest column in which people can read a message well.
_MESSAGE = 40
#: The default of the CRD for the condition of a new object, in which no time can be stated.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_STYLES = {
    "True": "green",
    "False": "bold red",
    "Unknown": "yellow",
    "Critical": "bold red",
    "Warning": "yellow",
    "Info": "cyan",
    "Signing": "bold green",
    "SafeToSign": "green",
    "Served": "cyan",
    "Published": "cyan",
    "Pending": "yellow",
    "Retiring": "magenta",
    "Leaving": "magenta",
}


def console_for(stream: TextIO, *, no_color: bool = False) -> Console:
    """Make a console that writes to `stream`; lines never wrap when the stream is no terminal."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # a Latin-1 terminal must not fail at a message in another alphabet
    console = Console(file=stream, highlight=False, emoji=False, markup=False, no_color=no_color or None)
    if not console.is_terminal:
        console.width = _ENDLESS
    return console


def print_sections(sections: Iterable[RenderableType], console: Console) -> None:
    """Write the sections of a page with an empty line between them, and without blanks at the ends of lines."""
    with console.capture() as captured:
        for number, section in enumerate(sections):
            console.print(*([""] if number else []), section, sep="\n")
    for line in captured.get().splitlines():
        console.file.write(line.rstrip() + "\n")


class Fitting:
    """A table that takes its wide form where that fits, and its narrow form otherwise.

    The wide form fits when at least `_MESSAGE` columns are left for its last column, whose longest cell has `last`.
    """

    def __init__(self, wide: Table, narrow: RenderableType, *, last: int = 0) -> None:
        self.wide, self.narrow = wide, narrow
        self.spare = max(0, last - _MESSAGE)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = console.measure(self.wide, options=options.update(max_width=_ENDLESS)).maximum
        yield self.wide if width - self.spare <= options.max_width else self.narrow


def titled(title: str, *parts: RenderableType) -> Group:
    """Make a section of a title and its indented parts."""
    return Group(Text(title, style="bold"), *(Padding(part, (0, 0, 0, INDENT)) for part in parts))


def table_of(*columns: str) -> Table:
    """Make a table in which only the last column wraps."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(columns), header_style="dim")
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    return table


def plain(text: str, style: str = "") -> Text:
    """Put foreign text on one line, with a blank for each character that could steer a terminal."""
    # The text is appended, because a style of the whole Text would also colour what a caller adds to it.
    return Text().append("".join(c if c.isprintable() else " " for c in text), style or None)


def caveat(text: str) -> Table:
    """Make the paragraph of a caveat: a reason not to believe all of the page."""
    return marked("!", text, "bold yellow")


def coloured(word: str) -> Text:
    """Give a word of the API its colour."""
    return plain(word, _STYLES.get(word, ""))


def when(time: datetime | None, now: datetime) -> Text:
    """Write a time and its distance from now, or `-` for None and for the time of a new object's default condition."""
    if time is None or time == _NEVER:
        return Text("-", style="dim")
    return Text(format_time(time)).append(f" ({away(time, now)})", "dim")


def marked(mark: str, text: str, style: str = "") -> Table:
    """Make a paragraph with a mark before its first line; all its lines begin in the same column."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_row(Text(mark, style=style or "bold"), plain(text, style))
    return table


def finding_block(finding: StatusFinding, now: datetime) -> Group:
    """Show a finding: its subject, what is wrong, and what to do."""
    title = coloured(finding.severity) + Text(" ") + plain(finding.reason, "bold")
    if finding.subject and finding.subject not in finding.message:
        title.append(" ").append_text(plain(finding.subject))
    if finding.since_time is not None:
        title.append(f" since {both(finding.since_time, now)}", style="dim")
    parts: list[RenderableType] = [title, Padding(plain(finding.message), (0, 0, 0, INDENT))]
    if finding.advice:
        parts.append(Padding(marked("->", finding.advice), (0, 0, 0, INDENT)))
    return Group(*parts)
