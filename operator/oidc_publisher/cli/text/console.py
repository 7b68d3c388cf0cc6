"""The pieces that pages of text are made of: consoles, tables, titles, and text of others made harmless."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from oidc_publisher.api import StatusFinding, format_time
from oidc_publisher.cli.text.times import away, both

#: Nothing is cut or wrapped where no person reads.
_ENDLESS = 10_000
INDENT = 2
#: A message in a narrower column is hard to read.
_MESSAGE = 40
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
    """A console that writes to `stream`, endlessly wide where that is no terminal."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # a message in another alphabet is no failure of a Latin-1 terminal
    console = Console(file=stream, highlight=False, emoji=False, markup=False, no_color=no_color or None)
    if not console.is_terminal:
        console.width = _ENDLESS
    return console


def print_sections(sections: Iterable[RenderableType], console: Console) -> None:
    """Write the sections of a page with an empty line between them, and no blanks at the ends of lines."""
    with console.capture() as captured:
        for number, section in enumerate(sections):
            console.print(*([""] if number else []), section, sep="\n")
    for line in captured.get().splitlines():
        console.file.write(line.rstrip() + "\n")


class Fitting:
    """The wide form where it fits, its last column at least `_MESSAGE` wide or as wide as it is; else the narrow one."""

    def __init__(self, wide: Table, narrow: Table, *, last: int = 0) -> None:
        self.wide, self.narrow = wide, narrow
        self.spare = max(0, last - _MESSAGE)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = console.measure(self.wide, options=options.update(max_width=_ENDLESS)).maximum
        yield self.wide if width - self.spare <= options.max_width else self.narrow


def titled(title: str, *parts: RenderableType) -> Group:
    """A section: its title, and its parts indented."""
    return Group(Text(title, style="bold"), *(Padding(part, (0, 0, 0, INDENT)) for part in parts))


def table_of(*columns: str) -> Table:
    """A table whose last column wraps; the others never do."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(columns), header_style="dim")
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    return table


def plain(text: str, style: str = "") -> Text:
    """Text of others: on one line, and without what could steer a terminal."""
    # Appended, for a style of the whole text would colour what is added to it as well.
    return Text().append("".join(c if c.isprintable() else " " for c in text), style or None)


def caveat(text: str) -> Table:
    """Something that makes the page less than it seems."""
    return marked("!", text, "bold yellow")


def coloured(word: str) -> Text:
    """A word of ours in its colour."""
    return plain(word, _STYLES.get(word, ""))


def when(time: datetime | None, now: datetime) -> Text:
    """A time and how far away it is; `-` for none."""
    return Text("-", style="dim") if time is None else Text(format_time(time)).append(f" ({away(time, now)})", "dim")


def marked(mark: str, text: str, style: str = "") -> Table:
    """A paragraph with a mark before its first line, below which the others begin where the first one does."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_row(Text(mark, style=style or "bold"), plain(text, style))
    return table


def finding_block(finding: StatusFinding, now: datetime) -> Group:
    """A finding: what it is about, what is wrong, and what to do."""
    title = coloured(finding.severity) + Text(" ") + plain(finding.reason, "bold")
    if finding.subject and finding.subject not in finding.message:
        title.append(" ").append_text(plain(finding.subject))
    if finding.since_time is not None:
        title.append(f" since {both(finding.since_time, now)}", style="dim")
    parts: list[RenderableType] = [title, Padding(plain(finding.message), (0, 0, 0, INDENT))]
    if finding.advice:
        parts.append(Padding(marked("->", finding.advice), (0, 0, 0, INDENT)))
    return Group(*parts)
