"""Whether the API server answers, as the log and the queue are told."""

from __future__ import annotations

from datetime import datetime

from structlog.testing import capture_logs

from oidc_publisher.controller.kopf.reachability import Contact
from oidc_publisher.controller.kopf.watch import DEAD_AFTER_S, WATCH_S, death_of


class Returns:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        """Count one."""
        self.count += 1


def test_an_outage_is_told_once_per_cause() -> None:
    """A minute of retries is not a minute of lines, also when two causes alternate."""
    contact = Contact(Returns())
    with capture_logs() as lines:
        for _ in range(50):
            contact.failed("connection refused")
            contact.failed("answers 503")
    assert [line["why"] for line in lines] == ["connection refused", "answers 503"]
    assert contact.lost


def test_the_return_is_told_once_and_makes_everything_be_looked_at() -> None:
    """Only an answer after a failure is a return."""
    returns = Returns()
    contact = Contact(returns)
    with capture_logs() as lines:
        contact.answered()
        contact.failed("connection refused")
        contact.answered()
        contact.answered()
    assert returns.count == 1
    assert not contact.lost
    assert [line["log_level"] for line in lines] == ["warning", "info"]


def test_the_next_outage_is_told_again() -> None:
    """The same cause on another day is news."""
    contact = Contact(Returns())
    with capture_logs() as lines:
        for _ in range(2):
            contact.failed("connection refused")
            contact.answered()
    assert len(lines) == 4


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds

    def now(self) -> datetime:
        """No test of these asks for it."""
        raise NotImplementedError


def test_whether_the_api_server_answers_is_unknown_before_the_first_answer() -> None:
    """A metric that says 0 at every start would call somebody."""
    contact = Contact(Returns())
    contact.asked()
    assert contact.reachable is None
    contact.answered()
    assert contact.reachable is True
    contact.failed("connection refused")
    contact.failed("answers 503")
    assert (contact.reachable, contact.outages) == (False, 1)
    contact.answered()
    assert (contact.reachable, contact.outages) == (True, 1)


def test_a_watch_that_asks_for_nothing_is_dead_and_one_that_gets_no_answer_is_not() -> None:
    """A restart helps the first; the second asks on, and would do the same after a restart."""
    hand = Hand()
    contact = Contact(Returns(), hand)
    assert death_of(contact) is None, "before its first request it waits for the CRD"
    contact.answered()
    hand.seconds += WATCH_S + 10
    assert death_of(contact) is None, "the request of a quiet cluster is still open"
    for _ in range(100):
        hand.seconds += 10
        contact.asked()
        contact.failed("connection refused")
    assert death_of(contact) is None, "the API server has been away for a quarter of an hour"
    hand.seconds += DEAD_AFTER_S + 1
    assert death_of(contact) == "the watch of OIDCIssuers has asked the API server for nothing for 901 s"
