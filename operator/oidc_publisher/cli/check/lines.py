"""The lines of a check: what was checked, what was found, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.errors import PublisherError
from oidc_publisher.findings import Finding, Reason, Severity

__all__ = ["CheckResult", "Line", "Report", "Section", "line_of", "line_of_error", "unasked"]


@dataclass(frozen=True, slots=True)
class Line:
    """A Line is one check: its subject, what was found, and the advice where something is to do."""

    result: CheckResult
    check: str
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A Section holds the lines about one thing: the cluster, the permissions, the API servers, one OIDCIssuer."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A Report holds all sections, and their result together."""

    result: CheckResult
    sections: tuple[Section, ...]

    @classmethod
    def of(cls, sections: Iterable[Section]) -> Report:
        """Make the report of these sections; those without a line are left out."""
        kept = tuple(section for section in sections if section.lines)
        found = {line.result for section in kept for line in section.lines}
        order = (CheckResult.NO, CheckResult.NO_ANSWER, CheckResult.WARNING)
        return cls(next((result for result in order if result in found), CheckResult.YES), kept)

    @property
    def exit_code(self) -> ExitCode:
        """NO outweighs NO_ANSWER: what is broken is known to be broken, whatever else could not be asked."""
        return {CheckResult.NO: ExitCode.NO, CheckResult.NO_ANSWER: ExitCode.NO_ANSWER}.get(self.result, ExitCode.YES)

    @property
    def worst(self) -> Line | None:
        """The first line with the result of the report, None where everything is as it should be."""
        lines = (line for section in self.sections for line in section.lines)
        return None if self.result is CheckResult.YES else next(line for line in lines if line.result is self.result)


def line_of(finding: Finding, check: str) -> Line:
    """Make the line of a finding.

    A store that is not available leaves open whether the operator may write there. Whether API servers and public URLs
    can be reached is itself the question, so there no answer means no.
    """
    if finding.reason is Reason.StoreUnavailable:
        result = CheckResult.NO_ANSWER
    elif finding.unknown or finding.severity is Severity.CRITICAL:
        result = CheckResult.NO
    else:
        result = CheckResult.WARNING
    return Line(result, check, finding.message, finding.advice)


def line_of_error(error: PublisherError, check: str) -> Line:
    """Make the line of an error, as of the finding that the operator would report."""
    return line_of(error.finding(), check)


def unasked(error: PublisherError, check: str) -> Line:
    """Make the line of a question that the API server did not answer."""
    return Line(CheckResult.NO_ANSWER, check, error.message, error.hint)
