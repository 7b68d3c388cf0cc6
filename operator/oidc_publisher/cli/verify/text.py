"""The verification as text: a table for each section, and at the end who can use the issuer and who cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.text import Text

from oidc_publisher.api import format_time
from oidc_publisher.cli.text.console import Fitting, plain, print_sections, table_of, titled
from oidc_publisher.cli.text.marks import STYLES, CheckResult, marks_for
from oidc_publisher.cli.verify.repeating import Novelty
from oidc_publisher.cli.verify.verification import (
    AddressLine,
    DocumentLine,
    HostPart,
    KnownLine,
    LoadPart,
    PartyWords,
    RuleLine,
    TokenCheck,
    TokenPart,
    Verification,
)
from oidc_publisher.wording import counted

_DOCUMENTS = {"discovery": "discovery", "keySet": "key set"}
_BYTES_KIB = 1024

#: A line of a table: its result, its cells, and where it is from.
Row = tuple[CheckResult, str, str, str]


def print_verification(verification: Verification, console: Console) -> None:
    """Write a verification to a console."""
    print_sections(_sections(verification, marks_for(console)), console)


def print_changes(time: datetime, found: Iterable[Novelty], console: Console) -> None:
    """Write what changed since the look before, a line each, with the time of the look."""
    marks = marks_for(console)
    for one in found:
        console.print(plain(format_time(time), "dim"), marks[one.result], plain(one.what), soft_wrap=True)
    console.file.flush()


def _sections(verification: Verification, marks: dict[CheckResult, Text]) -> Iterator[RenderableType]:
    yield plain(verification.issuer_url, "bold")
    for host in verification.hosts:
        yield titled(_host_title(host), _table(map(_address_row, host.addresses), marks))
    yield titled("DOCUMENTS", _table(map(_document_row, _worth_showing(verification.documents)), marks))
    if verification.keys:
        yield titled("KEYS", *(plain(f"{key.algorithm}  {key.key_id}") for key in verification.keys))
    yield titled("RULES", _table(_rule_rows(verification.rules), marks))
    if verification.operator is not None:
        title = f"OPERATOR, oidci/{verification.operator.name}, beside what is seen from here"
        yield titled(title, _table(map(_known_row, verification.operator.lines), marks))
    if verification.token is not None:
        yield from _token(verification.token, marks)
    if verification.load is not None:
        yield titled("LOAD", _table([_load_row(verification.load)], marks))
    yield Group(*_closing(verification))


def _table(rows: Iterable[Row], marks: dict[CheckResult, Text]) -> RenderableType:
    """Make a table of marked rows; in a narrow terminal what was found stands below what was looked at."""
    held = list(rows)
    wide, narrow = table_of("", "", ""), table_of("", "")
    for result, what, found, source in held:
        said = plain(found).append(f"  [{source}]" if source else "", "dim")
        wide.add_row(marks[result], plain(what), said)
        below = plain(what, "bold").append("\n").append_text(said) if said.plain.strip() else plain(what, "bold")
        narrow.add_row(marks[result], below)
    longest = max((len(found) + len(source) + 4 for _, _, found, source in held), default=0)
    return Fitting(wide, narrow, last=longest)


def _host_title(host: HostPart) -> str:
    if host.proxy:
        return f"HOST {host.name}, by the proxy {host.proxy}, which resolves the name"
    if not host.addresses:
        return f"HOST {host.name}, without an address"
    return f"HOST {host.name}, resolved in {host.resolved_ms} ms"


def _address_row(line: AddressLine) -> Row:
    parts = [
        f"connect {line.connect_ms} ms" if line.connect_ms is not None else "",
        f"TLS {line.handshake_ms} ms" if line.handshake_ms is not None else "",
        line.tls_version,
    ]
    if line.certificate is not None:
        shown = line.certificate
        days = f"{shown.days_left} days left" if shown.days_left >= 0 else f"ended {-shown.days_left} days ago"
        parts += [f"issued by {shown.issuer}", f"chain of {shown.chain_length}", days]
    private = "" if line.public or "private" in line.problem else "a private address"
    return line.result, line.address, ", ".join(part for part in (line.problem, private, *parts) if part), ""


def _worth_showing(lines: tuple[DocumentLine, ...]) -> Iterator[DocumentLine]:
    """Yield the first read of each document, and every later one that differs from it."""
    first: dict[str, DocumentLine] = {}
    for line in lines:
        known = first.setdefault(line.document, line)
        if known is line or (known.status, known.size_bytes, known.problem) != (
            line.status,
            line.size_bytes,
            line.problem,
        ):
            yield line


def _document_row(line: DocumentLine) -> Row:
    name = _DOCUMENTS[line.document] + (f" (read {line.read + 1})" if line.read else "")
    if line.status is None:
        return line.result, name, line.problem, ""
    size = line.size_bytes or 0
    parts = [
        f"{line.status}",
        f"{line.ms} ms",
        f"{size} B" if size < _BYTES_KIB else f"{size / _BYTES_KIB:.1f} KiB",
        line.content_type or "no Content-Type",
        _kept(line),
        f"at {line.address}" if line.address else "",
        line.problem,
    ]
    return line.result, name, ", ".join(part for part in parts if part), ""


def _kept(line: DocumentLine) -> str:
    if line.max_age_seconds is None:
        return f"Cache-Control {line.cache_control}" if line.cache_control else "no Cache-Control"
    kept = f"kept for {line.max_age_seconds} s"
    return kept if line.age_seconds is None else f"{kept}, {line.age_seconds} s old"


def _rule_rows(lines: Iterable[RuleLine]) -> Iterator[Row]:
    """Yield a row for each rule that the probe came to, and one for all others."""
    unseen = 0
    for line in lines:
        if line.result is CheckResult.NO_ANSWER and not line.reasons:
            unseen += 1
        else:
            yield line.result, line.rule, "" if line.found == "kept" else line.found, line.source
    if unseen:
        yield CheckResult.NO_ANSWER, f"{counted(unseen, 'more rule')}", "not seen: the probe did not come so far", ""


def _known_row(line: KnownLine) -> Row:
    return line.result, line.what, "; ".join(part for part in (line.operator, line.world) if part), ""


def _load_row(line: LoadPart) -> Row:
    took = "" if line.median_ms is None else f"; half within {line.median_ms} ms, all within {line.slowest_ms} ms"
    others = "".join(f"; {count} got {what}" for what, count in line.others.items())
    return line.result, f"{line.strangers} at once", f"{line.found}{took}{others}", ""


def _token(token: TokenPart, marks: dict[CheckResult, Text]) -> Iterator[RenderableType]:
    explained = table_of("", "")
    for name, value in (*token.header.items(), *token.claims.items()):
        explained.add_row(plain(name), plain(value))
    if token.other_claims:
        explained.add_row("other claims", plain(", ".join(token.other_claims)))
    yield titled("TOKEN", explained)
    yield titled("TOKEN CHECKS", _table(map(_check_row, token.checks), marks))
    yield titled("WHAT RELYING PARTIES WOULD SAY", _table(map(_words_row, token.parties), marks))


def _check_row(check: TokenCheck) -> Row:
    found = f"{check.found} -> {check.advice}" if check.advice else check.found
    return check.result, check.check, found, ""


def _words_row(line: PartyWords) -> Row:
    if line.result is not CheckResult.NO:
        return line.result, line.party.value, line.means, ""
    return line.result, line.party.value, line.words or "refuses it; no text of its own is known", line.means


def _closing(verification: Verification) -> Iterator[Text]:
    counts = {result: sum(line.result is result for line in verification.rules) for result in CheckResult}
    named = [
        counted(counts[result], noun)
        for result, noun in ((CheckResult.NO, "broken rule"), (CheckResult.WARNING, "warning"))
        if counts[result]
    ]
    told = f" {counted(len(verification.rules), 'rule')}{''.join(f', {one}' for one in named)}."
    yield plain(verification.sentence, STYLES[verification.result]).append_text(plain(told))
    if verification.first:
        yield plain("Change first: ", "bold").append_text(plain(verification.first))
