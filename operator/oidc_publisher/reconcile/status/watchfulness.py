"""Notice what is wrong with the operator itself and a restart does not mend: a second operator, and passes that come late."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from oidc_publisher.api import OIDCIssuer, OIDCIssuerStatus
from oidc_publisher.findings import Finding, Reason

#: How many seconds the pass in progress has waited for a place; the queue sets it.
waited_s: ContextVar[float] = ContextVar("waited_s", default=0.0)

#: An issuer of a short interval is not called late because the machine is busy for a moment.
_SHORTEST_LATENESS = timedelta(minutes=1)

#: Somebody else's writes are counted for so long. Two operators at rest write lastProvenTime every five minutes, whoever
#: comes first, so that each sees about six writes of the other in an hour.
_COUNTED_FOR = timedelta(hours=1)
#: One may be a backup that is put back, or the last write of a replaced pod.
_ENOUGH = 3


@dataclass(slots=True)
class _WrittenHere:
    """What this process knows of one object: its own latest writes, and when it found somebody else's.

    `silent`: the object was last read, or stored by this process, without the finding that there is another one. `before`:
    what `proven`, `serial` and `silent` were before the last write.
    """

    uid: str
    proven: datetime | None = None
    serial: int = 0
    foreign: deque[datetime] = field(default_factory=lambda: deque(maxlen=_ENOUGH))
    silent: bool = False
    before: tuple[datetime | None, int, bool] = (None, 0, False)
    late: bool = False


class Watchfulness:
    """Watchfulness compares each status with the one that this process wrote last, and remembers how long passes waited.

    Only what an operator alone moves forward counts: lastProvenTime and the serial of the writes. A person who edits the
    status or puts back an old one is no second operator.

    Where another process says that there are two, there are two. Of two processes whose passes are in step one may make
    all writes at rest, so that it sees none of the other: it would take the finding out in each pass, and the other one
    would put it back.
    """

    def __init__(self) -> None:
        self._known: dict[str, _WrittenHere] = {}

    def read(self, issuer: OIDCIssuer, now: datetime) -> tuple[Finding, ...]:
        """Note an object as it was read at the begin of its pass, and return the findings about the operator."""
        known = self._of(issuer)
        proven, serial = _moving(issuer.status)
        if known.proven is not None and (serial > known.serial or (proven is not None and proven > known.proven)):
            known.foreign.append(now)
        if known.silent and _says_two(issuer.status):
            known.foreign.extend([now] * _ENOUGH)
        self.wrote(issuer, issuer.status)
        known.silent = not _says_two(issuer.status)
        late = self._late(known, issuer)
        return (*self._second(known, now), *([late] if late else []))

    def wrote(self, issuer: OIDCIssuer, status: OIDCIssuerStatus) -> None:
        """Note a status that this process is about to write: the answer to the write may be lost."""
        known, (proven, serial) = self._of(issuer), _moving(status)
        known.before = known.proven, known.serial, known.silent
        known.serial = max(known.serial, serial)
        known.proven = max(known.proven or _NEVER, proven or _NEVER)
        known.silent = known.silent and not _says_two(status)

    def stored(self, issuer: OIDCIssuer, status: OIDCIssuerStatus) -> None:
        """Note a status that the API server has taken from this process."""
        self._of(issuer).silent = not _says_two(status)

    def refused(self, issuer: OIDCIssuer) -> None:
        """Forget the last write, which a write of somebody else has come before.

        Two processes that an event wakes together prove the issuer in the same second: that of the other one would pass for
        the own.
        """
        known = self._of(issuer)
        known.proven, known.serial, known.silent = known.before

    def forget(self, name: str) -> None:
        """Forget an object that is gone."""
        self._known.pop(name, None)

    def _of(self, issuer: OIDCIssuer) -> _WrittenHere:
        known = self._known.get(issuer.metadata.name)
        if known is None or known.uid != issuer.metadata.uid:
            known = self._known[issuer.metadata.name] = _WrittenHere(issuer.metadata.uid)
        return known

    def _second(self, known: _WrittenHere, now: datetime) -> tuple[Finding, ...]:
        if len(known.foreign) < _ENOUGH or now - known.foreign[0] > _COUNTED_FOR:
            return ()
        return (Finding.of(Reason.SecondOperator, "Another process writes the status of this OIDCIssuer too"),)

    def _late(self, known: _WrittenHere, issuer: OIDCIssuer) -> Finding | None:
        """Return the finding of a pass that waited for a whole interval; it stays until a pass waits for less than half."""
        limit = max(issuer.spec.interval, _SHORTEST_LATENESS).total_seconds()
        known.late = waited_s.get() > (limit / 2 if known.late else limit)
        if not known.late:
            return None
        return Finding.of(
            Reason.PassesLate, "Passes over this OIDCIssuer begin later than a whole interval after they are due"
        )


_NEVER = datetime.fromisoformat("0001-01-01T00:00:00+00:00")


def _says_two(status: OIDCIssuerStatus) -> bool:
    return any(finding.reason == Reason.SecondOperator for finding in status.findings)


def _moving(status: OIDCIssuerStatus) -> tuple[datetime | None, int]:
    return status.last_proven_time, (status.publication.serial if status.publication else None) or 0
