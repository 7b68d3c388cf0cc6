"""What findings and errors mean for a check, and what all lines together mean for a script."""

from __future__ import annotations

import pytest

from oidc_publisher.cli.check.issuerchecks import public_line
from oidc_publisher.cli.check.lines import CheckResult, Line, Report, Section, line_of
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.probe import Fetched, Read

URL = "https://oidc.example.com"
EXITS = [
    ([CheckResult.YES], ExitCode.YES),
    ([CheckResult.YES, CheckResult.WARNING], ExitCode.YES),
    ([CheckResult.YES, CheckResult.NO_ANSWER, CheckResult.WARNING], ExitCode.NO_ANSWER),
    ([CheckResult.NO_ANSWER, CheckResult.NO, CheckResult.YES], ExitCode.NO),
    ([], ExitCode.YES),
]


@pytest.mark.parametrize(("results", "code"), EXITS)
def test_what_is_broken_outweighs_what_could_not_be_asked(results: list[CheckResult], code: ExitCode) -> None:
    """A warning alone is none of both."""
    lines = tuple(Line(result, "check", "found") for result in results)
    report = Report.of([Section("A", lines[:1]), Section("B", lines[1:]), Section("EMPTY", ())])
    assert report.exit_code is code
    assert all(section.lines for section in report.sections)
    worst = report.worst
    assert (worst is None) is (report.result is CheckResult.YES)
    assert worst is None or worst.result is report.result


@pytest.mark.parametrize(
    ("reason", "result"),
    [
        (Reason.APIServerUnreachable, CheckResult.NO),
        (Reason.APIServerCertificateInvalid, CheckResult.NO),
        (Reason.ProbeUnavailable, CheckResult.NO),
        (Reason.NameNotResolved, CheckResult.NO),
        (Reason.AccessDenied, CheckResult.NO),
        (Reason.ConditionalWritesUnsupported, CheckResult.NO),
        (Reason.TokenRequestFailed, CheckResult.NO),
        (Reason.StoreUnavailable, CheckResult.NO_ANSWER),
        (Reason.EntryUnreadable, CheckResult.WARNING),
        (Reason.EndpointGone, CheckResult.WARNING),
    ],
)
def test_a_finding_is_a_line(reason: Reason, result: CheckResult) -> None:
    """Unknown in a status is a no where reaching it is the very question."""
    line = line_of(Finding.of(reason, "It is so", hint="Do this."), "check")
    assert line == Line(result, "check", "It is so.", "Do this.")


def answer(status: int, body: bytes = b"") -> Fetched:
    """An answer of the public URL."""
    return Fetched(URL, status, body, "application/json", "public, max-age=300")


@pytest.mark.parametrize(
    ("status", "published", "result"),
    [
        (404, False, CheckResult.YES),
        (404, True, CheckResult.NO),
        (403, False, CheckResult.WARNING),
        (403, True, CheckResult.NO),
        (503, False, CheckResult.WARNING),
    ],
)
def test_documents_are_expected_once_they_are_stored(status: int, published: bool, result: CheckResult) -> None:
    """Before that only a connection is."""
    read = Read(answer(status), answer(status))
    assert public_line(URL, read, published=published).result is result


@pytest.mark.parametrize("published", [False, True])
def test_a_url_that_cannot_be_reached_is_no_at_any_time(published: bool) -> None:
    """DNS and egress are the question."""
    error = FetchError(Reason.ProbeUnavailable, "There is no network", hint="Look at the NetworkPolicy.")
    line = public_line(URL, Read(error, None), published=published)
    assert line == Line(CheckResult.NO, URL, "There is no network.", "Look at the NetworkPolicy.")


def test_documents_that_can_be_read_are_yes() -> None:
    """Whatever else relying parties want of them is said by `status`."""
    discovery = (
        b'{"issuer":"https://oidc.example.com","jwks_uri":"https://oidc.example.com/openid/v1/jwks",'
        b'"response_types_supported":["id_token"],"subject_types_supported":["public"],'
        b'"id_token_signing_alg_values_supported":["RS256"]}'
    )
    read = Read(answer(200, discovery), answer(200, b'{"keys":[]}'))
    assert public_line(URL, read, published=True).result is CheckResult.YES
