"""The report as text: a table for each section, a line for each check."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from oidc_publisher.cli.check.lines import Line, Report, Section
from oidc_publisher.cli.text.console import Fitting, plain, print_sections, table_of, titled
from oidc_publisher.cli.text.marks import STYLES, CheckResult, marks_for
from oidc_publisher.wording import counted

_RESULTS = {
    CheckResult.YES: "Everything that was checked works.",
    CheckResult.WARNING: "Everything that was checked works, with warnings.",
    CheckResult.NO: "Something does not work.",
    CheckResult.NO_ANSWER: "Not everything could be asked.",
}


def print_report(report: Report, console: Console) -> None:
    """Write a report to a console."""
    print_sections(_sections(report, marks_for(console)), console)


def _sections(report: Report, marks: dict[CheckResult, Text]) -> Iterator[RenderableType]:
    for section in report.sections:
        longest = max(len(f"-> {line.advice}") if line.advice else len(line.found) for line in section.lines)
        yield titled(section.title, Fitting(_wide(section, marks), _narrow(section, marks), last=longest))
    yield Group(*_result(report))


def _wide(section: Section, marks: dict[CheckResult, Text]) -> Table:
    table = table_of("", "", "")
    for line in section.lines:
        table.add_row(marks[line.result], plain(line.check), _said(line))
    return table


def _narrow(section: Section, marks: dict[CheckResult, Text]) -> Table:
    """Make the table for narrow terminals, which has what was found below what was checked."""
    table = table_of("", "")
    for line in section.lines:
        table.add_row(marks[line.result], plain(line.check, "bold").append("\n").append_text(_said(line)))
    return table


def _said(line: Line) -> Text:
    said = plain(line.found)
    return said.append("\n-> ").append_text(plain(line.advice)) if line.advice else said


def _result(report: Report) -> Iterator[Text]:
    lines = [line for section in report.sections for line in section.lines]
    counts = {result: sum(line.result is result for line in lines) for result in CheckResult}
    named = [
        counted(counts[result], noun)
        for result, noun in (
            (CheckResult.NO, "failure"),
            (CheckResult.NO_ANSWER, "open question"),
            (CheckResult.WARNING, "warning"),
        )
        if counts[result]
    ]
    told = f" {counted(len(lines), 'check')}{''.join(f', {one}' for one in named)}."
    yield plain(_RESULTS[report.result], STYLES[report.result]).append_text(plain(told))
