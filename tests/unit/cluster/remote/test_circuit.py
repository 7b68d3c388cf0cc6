"""When a server that was silent is asked again: the decision by itself, with the clock passed in."""

from __future__ import annotations

from oidc_publisher.cluster.remote.circuit import ANSWERED, LONGEST_PAUSE_S, PAUSE_S, Circuit
from oidc_publisher.errors import UnreachableError
from oidc_publisher.findings import Reason

SILENCE = UnreachableError(Reason.APIServerUnreachable, "10.1.2.3:6443 does not answer in time")
QUICK_S, SLOW_S = 0.01, 5.0


def test_one_quick_failure_refuses_nothing() -> None:
    """A finding needs two, so the second request has to be sent."""
    assert Circuit().silent(SILENCE, took_s=QUICK_S, now_s=10).refusal(10) is None


def test_two_quick_failures_or_one_slow_one_refuse_until_the_pause_is_over() -> None:
    """With the words of the last failure, so that the finding stays the same."""
    quick = Circuit().silent(SILENCE, took_s=QUICK_S, now_s=10).silent(SILENCE, took_s=QUICK_S, now_s=10)
    slow = Circuit().silent(SILENCE, took_s=SLOW_S, now_s=10)
    for circuit in (quick, slow):
        assert circuit.refusal(10) is SILENCE
        assert circuit.refusal(10 + PAUSE_S - 0.01) is SILENCE
        assert circuit.refusal(10 + PAUSE_S) is None


def test_an_answer_between_two_quick_failures_starts_anew() -> None:
    """Two in a row count."""
    assert ANSWERED.silent(SILENCE, took_s=QUICK_S, now_s=10).refusal(10) is None


def test_while_one_request_tries_the_others_are_refused() -> None:
    """A pass waits for one timeout at most."""
    trying = Circuit().silent(SILENCE, took_s=SLOW_S, now_s=0).sent()
    assert trying.refusal(1000) is SILENCE
    assert trying.abandoned().refusal(1000) is None
    assert Circuit().sent() == Circuit()


def test_the_pause_doubles_up_to_the_longest() -> None:
    """A server that comes back is found within half a minute."""
    circuit, now_s, pauses = Circuit().silent(SILENCE, took_s=SLOW_S, now_s=0), 0.0, []
    for _ in range(8):
        pauses.append(circuit.closed_until_s - now_s)
        now_s = circuit.closed_until_s
        circuit = circuit.sent().silent(SILENCE, took_s=SLOW_S, now_s=now_s)
    assert pauses == [2, 4, 8, 16, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_failures_of_requests_that_were_on_their_way_count_once() -> None:
    """Eight requests that wait for the same timeout are one silence."""
    circuit = Circuit()
    for _ in range(8):
        circuit = circuit.silent(SILENCE, took_s=SLOW_S, now_s=5)
    assert circuit.closed_until_s == 5 + PAUSE_S
