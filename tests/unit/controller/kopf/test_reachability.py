"""Whether the API server answers, as the log and the queue are told."""

from __future__ import annotations

from structlog.testing import capture_logs

from oidc_publisher.controller.kopf.reachability import Contact


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
