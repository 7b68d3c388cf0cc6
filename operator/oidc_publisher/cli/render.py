"""A page in text: for a terminal as wide as it is, and in plain aligned lines for a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from oidc_publisher.api import format_time
from oidc_publisher.cli.keyids import shortened
from oidc_publisher.cli.page import ConditionLine, FindingLine, KeyLine, Page
from oidc_publisher.cli.times import away, both
from oidc_publisher.findings import Reason

#: Nothing is cut or wrapped where no person reads.
_ENDLESS = 10_000
_INDENT = 2
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


def print_page(page: Page, console: Console, now: datetime) -> None:
    """Write the page."""
    with console.capture() as captured:
        for number, section in enumerate(_sections(page, now)):
            console.print(*([""] if number else []), section, sep="\n")
    for line in captured.get().splitlines():
        console.file.write(line.rstrip() + "\n")


def _sections(page: Page, now: datetime) -> Iterator[Group]:
    yield Group(*_header(page, now))
    if page.conditions:
        longest = max(_message(line, page).cell_len for line in page.conditions)
        yield _titled("CONDITIONS", _Fitting(_conditions(page, now), _narrow_conditions(page, now), last=longest))
    if page.findings:
        yield _titled("FINDINGS, root cause first", *(_finding(finding, now) for finding in page.findings))
    if page.keys:
        yield _titled("KEYS, newest first", _Fitting(_keys(page, now), _narrow_keys(page, now)))
    yield _titled("EVENTS, newest first", *_events(page, now))


class _Fitting:
    """The wide form where it fits, its last column at least `_MESSAGE` wide or as wide as it is; else the narrow one."""

    def __init__(self, wide: Table, narrow: Table, *, last: int = 0) -> None:
        self.wide, self.narrow = wide, narrow
        self.spare = max(0, last - _MESSAGE)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = console.measure(self.wide, options=options.update(max_width=_ENDLESS)).maximum
        yield self.wide if width - self.spare <= options.max_width else self.narrow


def _titled(title: str, *parts: RenderableType) -> Group:
    return Group(Text(title, style="bold"), *(Padding(part, (0, 0, 0, _INDENT)) for part in parts))


def _table(*columns: str) -> Table:
    """A table whose last column wraps; the others never do."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(columns), header_style="dim")
    for column in columns[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    return table


def _plain(text: str, style: str = "") -> Text:
    """Text of others: on one line, and without what could steer a terminal."""
    # Appended, for a style of the whole text would colour what is added to it as well.
    return Text().append("".join(c if c.isprintable() else " " for c in text), style or None)


def _coloured(word: str) -> Text:
    return _plain(word, _STYLES.get(word, ""))


def _time(time: datetime | None, now: datetime) -> Text:
    return Text("-", style="dim") if time is None else Text(format_time(time)).append(f" ({away(time, now)})", "dim")


def _header(page: Page, now: datetime) -> Iterator[RenderableType]:
    ready = page.ready
    title = _plain(page.name, "bold")
    if ready is not None:
        title = title + Text("  Ready: ") + _coloured(ready.status) + Text("  ") + _plain(ready.reason)
    yield title
    for caveat in page.caveats:
        yield _plain(f"! {caveat}", "bold yellow")
    short = shortened(key.key_id for key in page.keys)
    facts = _table("", "")
    facts.add_row("Issuer", _plain(page.issuer_url))
    facts.add_row("Store", _store(page, now))
    facts.add_row("Proven", _time(page.last_proven_time, now) if page.last_proven_time else Text("never"))
    for key in page.keys:
        if key.signed_by:
            facts.add_row("Signers", _plain(f"{', '.join(key.signed_by)}: key {short[key.key_id]}"))
    if page.next_deadline is not None:
        deadline = page.next_deadline
        facts.add_row("Next", _time(deadline.time, now) + _plain(f": key {short[deadline.key_id]} {deadline.what}"))
    yield facts


def _store(page: Page, now: datetime) -> Text:
    if not page.location:
        return Text("nothing was written yet")
    text = _plain(page.location)
    if page.key_count is not None:
        text.append(f", {page.key_count} key{'' if page.key_count == 1 else 's'}")
    if page.last_change_time is not None:
        text.append(f", changed {both(page.last_change_time, now)}")
    return text


def _status(line: ConditionLine) -> Text:
    """Red is for what is broken: a key that waits is not."""
    return _plain(line.status, "yellow") if line.reason == Reason.PrePublishing else _coloured(line.status)


def _message(line: ConditionLine, page: Page) -> Text:
    """The condition's message, unless a finding below says the same."""
    said = {f"{finding.message} {finding.advice}".strip() for finding in page.findings}
    return Text("see findings", style="dim") if line.message in said else _plain(line.message)


def _conditions(page: Page, now: datetime) -> Table:
    table = _table("TYPE", "STATUS", "REASON", "SINCE", "MESSAGE")
    for line in page.conditions:
        since = _time(line.since_time, now)
        table.add_row(_plain(line.type), _status(line), _plain(line.reason), since, _message(line, page))
    return table


def _narrow_conditions(page: Page, now: datetime) -> Table:
    """The message below its condition, where the line is too short for both."""
    table = _table("TYPE", "STATUS", "REASON, MESSAGE")
    for line in page.conditions:
        said = _plain(line.reason, "bold") + Text(" since ") + _time(line.since_time, now)
        said.append("\n").append_text(_message(line, page))
        table.add_row(_plain(line.type), _status(line), said)
    return table


def _finding(finding: FindingLine, now: datetime) -> Group:
    title = _coloured(finding.severity) + Text(" ") + _plain(finding.reason, "bold")
    if finding.subject and finding.subject not in finding.message:
        title.append(" ").append_text(_plain(finding.subject))
    if finding.since_time is not None:
        title.append(f" since {both(finding.since_time, now)}", style="dim")
    parts: list[RenderableType] = [title, Padding(_plain(finding.message), (0, 0, 0, _INDENT))]
    if finding.advice:
        advice = Table.grid(padding=(0, 1, 0, 0))
        advice.add_row(Text("->", style="bold"), _plain(finding.advice))
        parts.append(Padding(advice, (0, 0, 0, _INDENT)))
    return Group(*parts)


def _keys(page: Page, now: datetime) -> Table:
    columns = ["KEY", "VERSION", "ALG", "STATE", "LISTED BY", "SERVED SINCE", "SAFE TO SIGN", "MAY LEAVE"]
    table = _table(*columns)
    short = shortened(key.key_id for key in page.keys)
    for key in page.keys:
        served, leaves = _time(key.served_since_time, now), _time(key.retire_time, now)
        table.add_row(*_names(key, short), _listed(key), served, _safe(key, now), leaves)
    return table


def _narrow_keys(page: Page, now: datetime) -> Table:
    """One line for each time of a key."""
    table = _table("KEY", "VER", "ALG", "STATE", "", "")
    short = shortened(key.key_id for key in page.keys)
    for key in page.keys:
        facts: Sequence[tuple[str, Text]] = (
            ("listed by", _listed(key)),
            ("served", _time(key.served_since_time, now)),
            ("safe", _safe(key, now)),
            *((("leaves", _time(key.retire_time, now)),) if key.retire_time else ()),
        )
        for number, (label, text) in enumerate(facts):
            names: Sequence[Text | str] = ("", "", "", "") if number else _names(key, short)
            table.add_row(*names, Text(label, style="dim"), text)
    return table


def _names(key: KeyLine, short: dict[str, str]) -> tuple[Text, Text, Text, Text]:
    return _plain(short[key.key_id], "bold"), _plain(key.version), _plain(key.algorithm), _coloured(key.state)


def _listed(key: KeyLine) -> Text:
    return _plain(", ".join(key.listed_by)) if key.listed_by else Text("nobody", style="yellow")


def _safe(key: KeyLine, now: datetime) -> Text:
    if key.safe_since_time is not None:
        return _plain("since ", "green") + _time(key.safe_since_time, now)
    text = _plain("no", "yellow")
    if key.safe_to_sign_time is not None:
        text = _plain("from ", "yellow") + _time(key.safe_to_sign_time, now)
    return text.append(", but it signed", style="bold red") if key.signed_before_safe else text


def _events(page: Page, now: datetime) -> Iterator[RenderableType]:
    if page.events is None:
        yield _plain(page.events_unread, "dim")
        return
    if not page.events:
        yield Text("none (the API server keeps them for an hour)", style="dim")
        return
    table = _table("", "", "")
    for event in page.events:
        often = f" (x{event.count})" if event.count > 1 else ""
        reason = _plain(event.reason + often, "yellow" if event.type == "Warning" else "")
        table.add_row(_time(event.time, now), reason, _plain(event.message))
    yield table
