"""The four results of a checked line, and their signs on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from rich.console import Console
from rich.text import Text

from oidc_publisher.cli.text.console import plain


class CheckResult(StrEnum):
    """What a line says; NO_ANSWER means that nobody could be asked, so that it is neither good nor bad."""

    YES = "Yes"
    WARNING = "Warning"
    NO = "No"
    NO_ANSWER = "NoAnswer"


_MARKS = {CheckResult.YES: "✓", CheckResult.WARNING: "!", CheckResult.NO: "✗", CheckResult.NO_ANSWER: "?"}
#: For a terminal that cannot show the signs, which would print the same question mark for yes and no.
_PLAIN_MARKS = {CheckResult.YES: "ok", CheckResult.WARNING: "!", CheckResult.NO: "NO", CheckResult.NO_ANSWER: "?"}
STYLES: Mapping[CheckResult, str] = {
    CheckResult.YES: "green",
    CheckResult.WARNING: "yellow",
    CheckResult.NO: "bold red",
    CheckResult.NO_ANSWER: "bold yellow",
}


def marks_for(console: Console) -> dict[CheckResult, Text]:
    """Return the coloured sign of each result that this console can show."""
    marks = _MARKS
    try:
        "".join(_MARKS.values()).encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        marks = _PLAIN_MARKS
    return {result: plain(mark, STYLES[result]) for result, mark in marks.items()}
