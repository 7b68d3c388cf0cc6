"""The report as people read it, on narrow and wide terminals and in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from oidc_publisher.cli.check.lines import CheckResult, Line, Report, Section
from oidc_publisher.cli.check.text import print_report
from oidc_publisher.cli.text.console import console_for

RIGHT = "create serviceaccounts/token prod-oidc-publisher-probe in oidc-publisher"
REPORT = Report.of(
    [
        Section(
            "CLUSTER",
            (
                Line(CheckResult.YES, "API server 10.0.0.1:443", "answers; asked as system:serviceaccount:a:b"),
                Line(CheckResult.WARNING, "conditional writes", "not to be seen before something is stored"),
            ),
        ),
        Section(
            "PERMISSIONS of the operator",
            (
                Line(
                    CheckResult.NO,
                    RIGHT,
                    "not allowed; needed to mint the tokens that prove an issuer",
                    f"Allow its ServiceAccount to {RIGHT}; the Helm chart does so with rbac.create.",
                ),
                Line(CheckResult.NO_ANSWER, "read openid/v1/jwks", "nobody\x1b[31m answers"),
            ),
        ),
    ]
)
NARROW = """\
CLUSTER
  ✓  API server 10.0.0.1:443  answers; asked as system:serviceaccount:a:b
  !  conditional writes       not to be seen before something is stored

PERMISSIONS of the operator
  ✗  create serviceaccounts/token prod-oidc-publisher-probe in oidc-publisher
     not allowed; needed to mint the tokens that prove an issuer
     -> Allow its ServiceAccount to create serviceaccounts/token
     prod-oidc-publisher-probe in oidc-publisher; the Helm chart does so with
     rbac.create.
  ?  read openid/v1/jwks
     nobody [31m answers

Something does not work. 4 checks, 1 failure, 1 open question, 1 warning.
"""


def printed(width: int, encoding: str = "utf-8") -> str:
    """The text on a terminal of so many columns."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    print_report(REPORT, Console(file=stream, width=width, highlight=False, markup=False))
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_eighty_columns() -> None:
    """What was found stands below what was checked, where both do not fit side by side."""
    assert printed(80) == NARROW


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    """Nothing is lost either."""
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    assert RIGHT.split()[1] in text
    assert "rbac.create." in text


def test_a_hundred_and_twenty_columns() -> None:
    """Side by side."""
    lines = printed(160).splitlines()
    assert f"  ✗  {RIGHT}  not allowed; needed to mint the tokens that prove an issuer" in lines


def test_a_pipe_gets_whole_lines() -> None:
    """No line is wrapped, no colour is written."""
    stream = io.StringIO()
    print_report(REPORT, console_for(stream))
    assert f"-> Allow its ServiceAccount to {RIGHT}; the Helm chart does so with rbac.create.\n" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_without_the_signs_tells_yes_from_no() -> None:
    """Both would become the same question mark."""
    text = printed(160, "ascii")
    assert f"  NO  {RIGHT}" in text
    assert "  ok  API server" in text
