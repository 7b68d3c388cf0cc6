"""What others write into a message steers neither a terminal nor a log."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Condition, ConditionStatus, ConditionType, Finding, Reason
from oidc_publisher.harmless import harmless

HOSTILE = {
    "a line break": "a\n2026-11-26T12:00:00Z [info     ] Proven.",
    "a carriage return": "a\rReady=True",
    "an escape sequence": "a\x1b[2J\x1b[1;1HReady=True",
    "an 8-bit escape sequence": "a\x9b2J",
    "a window title": "a\x1b]0;title\x07",
    "a line separator": "a\u2028b\u2029c\x85d",
    "a mark of direction": "a\u202eeurT=ydaeR",
    "a mark that nobody sees": "a\u200b\U000e0041b",
    "half a surrogate pair": "a\ud800",
    "a null byte": "a\x00b",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_message_of_ours_is_one_line_that_steers_nothing(name: str) -> None:
    """In a finding, in a condition, in an error and in what it prints as."""
    text = f"Key {HOSTILE[name]} is withdrawn"
    finding = Finding.of(Reason.KeyWithdrawn, text, subject=HOSTILE[name], hint=text)
    condition = Condition(
        ConditionType.READY, ConditionStatus.TRUE, Reason.Proven, text, 1, dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
    )
    error = StoreError(Reason.StoreUnavailable, text, hint=text)
    told = (finding.message, finding.advice, condition.message, error.message, error.hint, str(error))
    for said in (*told, error.finding().sentence):
        assert said.isprintable()
        assert said.isascii()
    assert finding.subject == HOSTILE[name]  # it is compared, byte for byte


def test_what_was_there_can_be_read() -> None:
    """Two key IDs that differ in one such character do not look alike."""
    assert harmless("a\nb\x1b\u202e") == r"a\nb\x1b\u202e"
    assert harmless("schön, 鍵, \N{KEY}") == "schön, 鍵, \N{KEY}"


@given(st.text())
def test_everything_prints_and_stays_so(text: str) -> None:
    """Whatever the text; and applying it again changes nothing."""
    once = harmless(text)
    assert once.isprintable()
    assert harmless(once) == once
    assert once == text or not text.isprintable()
