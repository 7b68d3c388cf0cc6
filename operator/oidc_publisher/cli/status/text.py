"""The page as text: fitted to the width of a terminal, or in aligned lines of any length for a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from oidc_publisher.cli.status.overview import IssuerLine, Overview
from oidc_publisher.cli.status.page import ConditionLine, EventLine, KeyLine, Page
from oidc_publisher.cli.text.console import (
    INDENT,
    Fitting,
    caveat,
    coloured,
    finding_block,
    plain,
    print_sections,
    table_of,
    titled,
    when,
)
from oidc_publisher.cli.text.keyids import shortened
from oidc_publisher.cli.text.times import away, both
from oidc_publisher.findings import Reason, condition_message, joined
from oidc_publisher.wording import counted


def print_page(page: Page, console: Console, now: datetime) -> None:
    """Write a page to a console."""
    print_sections(_sections(page, now), console)


def print_overview(overview: Overview, console: Console, now: datetime) -> None:
    """Write a line for each issuer, and what speaks against those that say they are Ready."""
    longest = max((len(line.issuer_url) for line in overview.issuers), default=0)
    print_sections([Fitting(_overview(overview, now), _narrow_overview(overview, now), last=longest)], console)


def _overview(overview: Overview, now: datetime) -> Table:
    table = table_of("NAME", "READY", "REASON", "WARNINGS", "KEYS", "PROVEN", "ISSUER")
    for line in overview.issuers:
        keys = "-" if line.key_count is None else str(line.key_count)
        warnings = plain(_warnings(line), "yellow")
        table.add_row(*_readiness(line), warnings, keys, _proven(line, now), plain(line.issuer_url))
    return table


def _narrow_overview(overview: Overview, now: datetime) -> Table:
    """Make the table for narrow terminals, which leaves out the keys and the URLs."""
    table = table_of("NAME", "READY", "PROVEN", "REASON")
    for line in overview.issuers:
        name, ready, reason = _readiness(line)
        table.add_row(name, ready, _proven(line, now), reason)
    return table


def _readiness(line: IssuerLine) -> tuple[Text, Text, Text]:
    """Return name, status and reason; a True that nobody proves any more is no green True."""
    if line.ready == "True" and not line.proven:
        return plain(line.name, "bold"), plain("True (old)", "yellow"), plain(line.caveat)
    return plain(line.name, "bold"), coloured(line.ready), plain(line.reason)


def _warnings(line: IssuerLine) -> str:
    """Name what the reason does not say already."""
    if line.worst == line.reason:
        return f"+{line.warnings - 1}" if line.warnings > 1 else "-"
    more = f" +{line.warnings - 1}" if line.warnings > 1 else ""
    return f"{line.worst}{more}" if line.worst else "-"


def _proven(line: IssuerLine, now: datetime) -> Text:
    return plain(away(line.last_proven_time, now) if line.last_proven_time else "never")


def _sections(page: Page, now: datetime) -> Iterator[Group]:
    yield Group(*_header(page, now))
    if page.conditions:
        longest = max(_message(line, page).cell_len for line in page.conditions)
        yield titled("CONDITIONS", Fitting(_conditions(page, now), _narrow_conditions(page, now), last=longest))
    if page.findings:
        hint = Text("The page of a reason: oidc-publisher explain REASON", style="dim")
        yield titled("FINDINGS, root cause first", *(finding_block(finding, now) for finding in page.findings), hint)
    if page.keys:
        yield titled("KEYS, newest first", Fitting(_keys(page, now), _narrow_keys(page, now)))
    yield titled("EVENTS, newest first", *_events(page, now))


def _header(page: Page, now: datetime) -> Iterator[RenderableType]:
    ready = page.ready
    title = plain(page.name, "bold")
    if ready is not None:
        title = title + Text("  Ready: ") + coloured(ready.status) + Text("  ") + plain(ready.reason)
    yield title
    yield from map(caveat, page.caveats)
    short = shortened(key.key_id for key in page.keys)
    facts = table_of("", "")
    facts.add_row("Issuer", plain(page.issuer_url))
    facts.add_row("Store", _store(page, now))
    facts.add_row("Proven", when(page.last_proven_time, now) if page.last_proven_time else Text("never"))
    for key in page.keys:
        if key.signed_by:
            facts.add_row("Signers", plain(f"{', '.join(key.signed_by)}: key {short[key.key_id]}"))
    if page.next_deadline is not None:
        deadline = page.next_deadline
        facts.add_row("Next", when(deadline.time, now) + plain(f": key {short[deadline.key_id]} {deadline.what}"))
    yield facts


def _store(page: Page, now: datetime) -> Text:
    if not page.location:
        return Text("nothing was written yet")
    text = plain(page.location)
    if page.key_count is not None:
        text.append(f", {counted(page.key_count, 'key')}")
    if page.last_change_time is not None:
        text.append(f", changed {both(page.last_change_time, now)}")
    return text


def _status(line: ConditionLine) -> Text:
    """Colour the status of a condition; a key that waits is not broken, and so not red."""
    return plain(line.status, "yellow") if line.reason == Reason.PrePublishing else coloured(line.status)


def _message(line: ConditionLine, page: Page) -> Text:
    """Return the condition's message, or a reference to the findings when one of them says the same."""
    said = {joined(finding.message, finding.advice) for finding in page.findings}
    said |= {condition_message(finding.reason, finding.message, finding.advice) for finding in page.findings}
    return Text("see findings", style="dim") if line.message in said else plain(line.message)


def _conditions(page: Page, now: datetime) -> Table:
    table = table_of("TYPE", "STATUS", "REASON", "SINCE", "MESSAGE")
    for line in page.conditions:
        since = when(line.since_time, now)
        table.add_row(plain(line.type), _status(line), plain(line.reason), since, _message(line, page))
    return table


def _narrow_conditions(page: Page, now: datetime) -> Table:
    """Make the table for narrow terminals, which has each message below its reason."""
    table = table_of("TYPE", "STATUS", "REASON, MESSAGE")
    for line in page.conditions:
        said = plain(line.reason, "bold") + Text(" since ") + when(line.since_time, now)
        said.append("\n").append_text(_message(line, page))
        table.add_row(plain(line.type), _status(line), said)
    return table


def _keys(page: Page, now: datetime) -> Table:
    columns = ["KEY", "VERSION", "ALG", "STATE", "LISTED BY", "SERVED SINCE", "SAFE TO SIGN", "MAY LEAVE"]
    table = table_of(*columns)
    short = shortened(key.key_id for key in page.keys)
    for key in page.keys:
        served, leaves = when(key.served_since_time, now), when(key.retire_time, now)
        table.add_row(*_names(key, short), _listed(key), served, _safe(key, now), leaves)
    return table


def _narrow_keys(page: Page, now: datetime) -> Group:
    """Make the list for narrow terminals, which has a line for each time of a key below the key."""
    short = shortened(key.key_id for key in page.keys)
    return Group(*(part for key in page.keys for part in _narrow_key(key, short, now)))


def _narrow_key(key: KeyLine, short: dict[str, str], now: datetime) -> Iterator[RenderableType]:
    name, version, algorithm, state = _names(key, short)
    yield name + Text("  version ") + version + Text("  ") + algorithm + Text("  ") + state
    facts = table_of("", "")
    facts.add_row("listed by", _listed(key))
    facts.add_row("served since", when(key.served_since_time, now))
    facts.add_row("safe to sign", _safe(key, now))
    if key.retire_time:
        facts.add_row("may leave", when(key.retire_time, now))
    yield Padding(facts, (0, 0, 0, INDENT))


def _names(key: KeyLine, short: dict[str, str]) -> tuple[Text, Text, Text, Text]:
    return plain(short[key.key_id], "bold"), plain(key.version), plain(key.algorithm), coloured(key.state)


def _listed(key: KeyLine) -> Text:
    return plain(", ".join(key.listed_by)) if key.listed_by else Text("nobody", style="yellow")


def _safe(key: KeyLine, now: datetime) -> Text:
    if key.safe_since_time is not None and not key.unlisted_by:
        return plain("since ", "green") + when(key.safe_since_time, now)
    text = plain("no", "yellow")
    if key.safe_to_sign_time is not None and key.safe_to_sign_time > now:
        text = plain("from ", "yellow") + when(key.safe_to_sign_time, now)
    elif key.safe_to_sign_time is not None and not key.unlisted_by:
        text = plain("as soon as the public URL shows it", "yellow")
    if key.unlisted_by:
        text.append_text(plain(f", {', '.join(key.unlisted_by)} does not list it", "yellow"))
    return text.append(", but it signed", style="bold red") if key.signed_before_safe else text


def _events(page: Page, now: datetime) -> Iterator[RenderableType]:
    if page.events is None:
        yield plain(page.events_unread, "dim")
        return
    if not page.events:
        yield Text("none (the API server keeps them for an hour)", style="dim")
        return
    longest = max(len(event.message) for event in page.events)
    yield Fitting(_event_table(page.events, now), _narrow_events(page.events, now), last=longest)


def _event_table(events: Sequence[EventLine], now: datetime) -> Table:
    table = table_of("", "", "")
    for event in events:
        table.add_row(when(event.time, now), _event_reason(event), plain(event.message))
    return table


def _narrow_events(events: Sequence[EventLine], now: datetime) -> Group:
    """Make the list for narrow terminals, which has each message below its time."""
    return Group(*(part for event in events for part in _narrow_event(event, now)))


def _narrow_event(event: EventLine, now: datetime) -> Iterator[RenderableType]:
    yield when(event.time, now) + Text("  ") + _event_reason(event)
    yield Padding(plain(event.message), (0, 0, 0, INDENT))


def _event_reason(event: EventLine) -> Text:
    often = f" (x{event.count})" if event.count > 1 else ""
    return plain(event.reason + often, "yellow" if event.type == "Warning" else "")
