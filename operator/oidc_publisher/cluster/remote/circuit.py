"""Decide whether an API server that was silent is asked again. Pure: the clock is passed in.

Requests to a server that is away each wait for a timeout, and hold the pass that sends them for so long. After the
first such wait, or the second quick failure in a row, the circuit is open: requests fail at once with the last error,
until a pause is over. Then one request tries, while all others still fail at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from oidc_publisher.errors import UnreachableError

#: So many failures in a row open the circuit: a finding needs two (sources/confirming.py).
_FAILURES: Final = 2
#: A failure that took as long as connecting may take counts as two, because TCP itself has tried again meanwhile.
_SLOW_S: Final = 2.0
#: The first pause, which doubles up to the longest: half of the usual interval, so that each pass finds a server anew
#: that came back.
PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Circuit:
    """A Circuit is what is known of one API server.

    `failures` came in a row, the last of them with `error`. `closed_until_s` is the end of the pause on the monotonic
    clock. `trying`: one request is on its way to find out whether the server answers again.
    """

    failures: int = 0
    error: UnreachableError | None = None
    closed_until_s: float = 0.0
    trying: bool = False

    @property
    def open(self) -> bool:
        """Whether requests fail at once."""
        return self.failures >= _FAILURES

    def refusal(self, now_s: float) -> UnreachableError | None:
        """Return the error of a request that is not sent, None for one that is."""
        return self.error if self.open and (self.trying or now_s < self.closed_until_s) else None

    def sent(self) -> Circuit:
        """Return the circuit while a request is on its way."""
        return replace(self, trying=True) if self.open else self

    def abandoned(self) -> Circuit:
        """Return the circuit after a request whose sender did not wait for the end of it, which says nothing."""
        return replace(self, trying=False)

    def silent(self, error: UnreachableError, *, took_s: float, now_s: float) -> Circuit:
        """Return the circuit after a request without an answer.

        Requests that were on their way when the circuit opened fail together, and count as one.
        """
        if self.open and not self.trying:
            return self
        failures = self.failures + (2 if took_s >= _SLOW_S else 1)
        pauses = max(failures - _FAILURES, 0) // 2
        pause_s = min(PAUSE_S * 2 ** min(pauses, 10), LONGEST_PAUSE_S)
        return Circuit(failures, error, now_s + pause_s)


#: The circuit after an answer of any kind: a refusal is an answer too.
ANSWERED: Final = Circuit()
