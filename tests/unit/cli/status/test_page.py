"""The page of `status`, for programs and for people."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml
from rich.console import Console

from oidc_publisher.api import OIDCIssuer
from oidc_publisher.cli.connection import NoAnswerError
from oidc_publisher.cli.options import Output
from oidc_publisher.cli.status.page import Page, page_of
from oidc_publisher.cli.status.text import print_page
from oidc_publisher.cli.text.console import console_for
from oidc_publisher.cli.text.output import to_json, written
from tests.support.statuses import GONE, HOUR, MINUTE, NEW, NOW, OLD, ago, condition, issuer, key

BLOCKED = "https://example.com answers 403. Allow anonymous GET of both documents."
EVENT = {"type": "Normal", "reason": "KeySafe", "note": "Key x is safe.", "eventTime": "2026-02-01T10:00:47.123456Z"}


def text(page: Page, *, width: int | None = None) -> list[str]:
    """The page as a pipe gets it, or as a terminal of this width without colours shows it."""
    stream = io.StringIO()
    console = console_for(stream)
    if width is not None:
        console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
    print_page(page, console, NOW)
    return stream.getvalue().splitlines()


def page(found: OIDCIssuer, *events: dict[str, Any]) -> Page:
    return page_of(found, events, NOW)


def test_in_a_pipe_every_key_is_one_line() -> None:
    """With its times, absolute and relative."""
    lines = text(page(issuer()))
    new, old, gone = (next(x.split("  ") for x in lines if x.startswith(f"  {k[:8]}")) for k in (NEW, OLD, GONE))
    assert [cell.strip() for cell in new if cell] == [
        "newKeyID",
        "8",
        "ES256",
        "Served",
        "cluster",
        "2026-02-01T09:00:47Z (3h ago)",
        "from 2026-02-02T09:00:47Z (in 21h)",
        "-",
    ]
    assert "since 2026-01-16T20:00:47Z (15d ago)" in "  ".join(old)
    assert "nobody" in "".join(gone)
    assert "2026-02-01T16:00:47Z (in 4h)" in "".join(gone)


def test_a_time_that_has_come_is_no_permission() -> None:
    """The key has to be seen at the public URL once more: no column says "from" a time in the past."""
    lines = text(page(issuer(keys=[key(NEW, "Served", safeToSignTime=ago(HOUR))])))
    (line,) = (line for line in lines if line.startswith(f"  {NEW[:8]}"))
    assert "as soon as the public URL shows it" in line
    assert "from " not in line


def test_the_header_says_who_signs_and_what_comes_next() -> None:
    """Before anything else."""
    lines = text(page(issuer()))
    assert lines[0] == "prod  Ready: True  Proven"
    assert "Signers  10.0.0.1:6443, 10.0.0.2:6443: key oldKeyID" in lines
    assert "Next     2026-02-01T16:00:47Z (in 4h): key goneKeyI may leave the published set" in lines
    assert "Proven   2026-02-01T12:00:00Z (47s ago)" in lines


@pytest.mark.parametrize("width", [60, 80, 100, 132, 200])
def test_a_terminal_gets_no_line_that_is_too_long(width: int) -> None:
    """Also with long key IDs, messages and URLs."""
    found = issuer(
        findings=[{"reason": "AccessBlocked", "severity": "Critical", "message": BLOCKED, "subject": "x" * 90}],
        conditions=[condition("Ready", "False", "AccessBlocked", "word " * 40)],
    )
    lines = text(page(found, EVENT), width=width)
    assert max(map(len, lines)) <= width
    assert not any(line != line.rstrip() for line in lines)


@pytest.mark.parametrize("width", range(100, 190, 7))
def test_no_time_is_ever_broken_in_two(width: int) -> None:
    """A table that does not fit gives way to one that does."""
    lines = text(page(issuer()), width=width)
    assert sum("2026-02-01T16:00:47Z (in 4h)" in line for line in lines) == 2


def test_a_terminal_gets_colours_and_none_when_they_are_unwanted() -> None:
    """NO_COLOR is the environment's word for the same."""
    stream = io.StringIO()
    print_page(page(issuer()), Console(file=stream, width=120, force_terminal=True, color_system="standard"), NOW)
    assert "\x1b[32mTrue" in stream.getvalue()
    stream = io.StringIO()
    plain = Console(file=stream, width=120, force_terminal=True, color_system="standard", no_color=True)
    print_page(page(issuer()), plain, NOW)
    assert "\x1b[32m" not in stream.getvalue()


def test_a_finding_tells_what_is_wrong_and_then_what_to_do() -> None:
    """The advice stands on a line of its own, whoever gave it; the conditions do not repeat it."""
    finding = {"reason": "Redirected", "severity": "Critical", "message": "It redirects.", "sinceTime": ago(HOUR)}
    found = issuer(
        findings=[finding | {"advice": "Serve it at /prod."}],
        conditions=[condition("Ready", "False", "Redirected", "It redirects. Serve it at /prod.")],
    )
    lines = text(page(found))
    at = lines.index("  Critical Redirected since 2026-02-01T11:00:47Z (1h ago)")
    assert lines[at + 1 : at + 3] == ["    It redirects.", "    -> Serve it at /prod."]
    assert any(line.endswith("see findings") for line in lines)
    assert sum("It redirects." in line for line in lines) == 1
    assert to_json(page(found))["findings"] == [finding | {"advice": "Serve it at /prod."}]


def test_a_finding_of_a_former_version_is_shown_as_it_is() -> None:
    """Its message ends with what to do, and nothing is cut off it."""
    message = "It redirects. Serve the documents at the issuer URL itself."
    finding = {"reason": "Redirected", "severity": "Critical", "message": message, "sinceTime": ago(HOUR)}
    found = issuer(findings=[finding], conditions=[condition("Ready", "False", "Redirected", message)])
    lines = text(page(found))
    assert f"    {message}" in lines
    assert not any("->" in line for line in lines)
    assert any(line.endswith("see findings") for line in lines)
    assert to_json(page(found))["findings"] == [finding]


@pytest.mark.parametrize(
    ("found", "caveat"),
    [
        (issuer(spec={"suspend": True}), "Suspended: nothing is read"),
        (issuer(metadata={"generation": 4}), "has not seen the latest change"),
        (issuer(lastProvenTime=ago(2 * HOUR)), "The last proof is too old"),
        (issuer(lastProvenTime=ago(-2 * HOUR)), "The last proof lies ahead"),
        (issuer(lastProvenTime=None), "The last proof is too old"),
        (issuer(conditions=[condition("Ready", "Unknown", "WaitingForOperator")]), "No operator has looked"),
        (issuer(metadata={"deletionTimestamp": ago(MINUTE)}), "is being deleted"),
    ],
    ids=["suspended", "older generation", "operator away", "a clock ahead", "no proof", "no operator", "deleted"],
)
def test_what_may_not_be_true_any_more_says_so_first(found: OIDCIssuer, caveat: str) -> None:
    """And the page counts as not proven."""
    made = page(found)
    assert not made.proven
    assert text(made)[1].startswith("! ")
    assert caveat in text(made)[1]


@pytest.mark.parametrize("width", [56, 60, 80])
def test_a_narrow_terminal_breaks_no_time_of_a_key(width: int) -> None:
    """The instant and how far away it is stand on one line, with what it is."""
    lines = text(page(issuer()), width=width)
    assert "    safe to sign  since 2026-01-16T20:00:47Z (15d ago)" in lines
    assert "  oldKeyID  version 7  ES256  Signing" in lines
    assert width < 80 or [line for line in lines if line.count("(") != line.count(")")] == []


@pytest.mark.parametrize("width", [56, 60, 80])
def test_a_narrow_terminal_has_the_message_of_an_event_below_its_time(width: int) -> None:
    """A third column of eight characters cannot be read."""
    lines = text(page(issuer(), EVENT | {"note": "word " * 30}), width=width)
    at = next(number for number, line in enumerate(lines) if line.endswith(f"  {EVENT['reason']}"))
    assert lines[at + 1].startswith("    word word word word word word word")


def test_a_new_object_has_no_condition_of_1970() -> None:
    """Its condition is the CRD's default, in which no time can be stated; nobody has waited for 20,000 days."""
    new = condition("Ready", "Unknown", "WaitingForOperator") | {"lastTransitionTime": "1970-01-01T00:00:00Z"}
    said = "\n".join(text(page(issuer(conditions=[new]))))
    assert "1970" not in said
    assert "d ago)  No operator" not in said


def test_a_long_caveat_goes_on_below_its_first_word() -> None:
    """So that the mark before it stands alone."""
    lines = text(page(issuer(lastProvenTime=ago(2 * HOUR))), width=60)
    assert [line[:6] for line in lines[1:3]] == ["! The ", "  foll"]


def test_an_issuer_that_nobody_has_looked_at_has_a_page() -> None:
    """No conditions, no keys, no publication."""
    lines = text(page(issuer(conditions=[], keys=[], publication=None, lastProvenTime=None, ledger=None)))
    assert lines[0] == "prod"
    assert "Store   nothing was written yet" in lines
    assert "Proven  never" in lines


def test_only_the_newest_ten_events_are_shown_whichever_form_they_have() -> None:
    """Newest first; what has no time is left out."""
    events = [{**EVENT, "eventTime": f"2026-02-01T09:{minute:02}:00.000000Z"} for minute in range(12)]
    series = {**EVENT, "reason": "Often", "series": {"count": 7, "lastObservedTime": "2026-02-01T11:59:47.000000Z"}}
    older = {"reason": "Core", "deprecatedLastTimestamp": "2026-02-01T11:00:47Z", "deprecatedCount": 3, "note": "n"}
    made = page(issuer(), *events, series, older, {"reason": "Timeless"})
    assert made.events is not None
    assert [line.reason for line in made.events] == ["Often", "Core", *["KeySafe"] * 8]
    assert any("(1m ago)" in line and "Often (x7)  Key x" in line for line in text(made))


def test_missing_rights_to_events_are_a_line_of_the_page() -> None:
    """Not a failure."""
    made = page_of(issuer(), None, NOW, events_unread="The events could not be read: 403.")
    assert text(made)[-1] == "  The events could not be read: 403."
    assert "events" not in to_json(made)
    assert to_json(made)["eventsUnread"] == "The events could not be read: 403."


def test_what_others_wrote_cannot_steer_a_terminal() -> None:
    """A message with an escape sequence or a line break in it is one line of text."""
    lines = text(page(issuer(), {**EVENT, "note": "\x1b[2Jred\nnext\u202e"}))
    assert "\x1b" not in "".join(lines)
    assert lines[-1].rstrip().endswith("[2Jred next")


HOSTILE = "a\nb\x1b[2J\x9bc\u202e\u2028d"


@pytest.mark.parametrize("output", [Output.JSON, Output.YAML])
def test_a_key_id_cannot_steer_a_terminal_in_a_page_for_programs_either(output: Output) -> None:
    """A program reads it as it is; on the way through a terminal it is escaped."""
    made = written(to_json(page(issuer(keys=[key(HOSTILE, "Served")]))), output)
    assert made.replace("\n", "").isprintable()
    assert yaml.safe_load(made)["keys"][0]["keyID"] == HOSTILE
    assert "schön" in written({"message": "schön"}, output)


def test_a_command_that_fails_says_so_on_one_line() -> None:
    """Whatever the API server or the manifest has put into the sentence."""
    assert NoAnswerError(f"There is no key {HOSTILE}.").format_message().isprintable()


def test_the_page_for_programs_is_stable() -> None:
    """Names as the API writes them, times in RFC 3339; what is not known is absent."""
    made = to_json(page(issuer(), EVENT))
    assert list(made) == [
        "name",
        "issuerURL",
        "proven",
        "ready",
        "lastProvenTime",
        "location",
        "keyCount",
        "lastChangeTime",
        "caveats",
        "conditions",
        "findings",
        "keys",
        "nextDeadline",
        "events",
    ]
    assert made["keys"][0] == {
        "keyID": NEW,
        "version": "8",
        "algorithm": "ES256",
        "state": "Served",
        "listedBy": ["cluster"],
        "unlistedBy": [],
        "signedBy": [],
        "servedSinceTime": "2026-02-01T09:00:47Z",
        "safeToSignTime": "2026-02-02T09:00:47Z",
        "signedBeforeSafe": False,
    }
    assert made["nextDeadline"]["time"] == "2026-02-01T16:00:47Z"
    assert made["events"] == [
        {"time": "2026-02-01T10:00:47Z", "type": "Normal", "reason": "KeySafe", "message": "Key x is safe.", "count": 1}
    ]


def test_a_condition_that_names_its_runbook_is_not_repeated_either() -> None:
    """The condition's message ends with the command; the findings end with it once for all."""
    finding = {"reason": "Redirected", "severity": "Critical", "message": "It redirects.", "advice": "Serve it."}
    said = "It redirects. Serve it. Runbook: oidc-publisher explain Redirected"
    lines = text(page(issuer(findings=[finding], conditions=[condition("Ready", "False", "Redirected", said)])))
    assert any(line.endswith("see findings") for line in lines)
    assert lines.count("  The page of a reason: oidc-publisher explain REASON") == 1
