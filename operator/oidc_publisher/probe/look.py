"""Looks at an issuer: reads both documents as relying parties do, several times, and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from oidc_publisher.documents import discovery_url
from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason
from oidc_publisher.probe.wire.port import Deadline, Fetched, Wire
from oidc_publisher.timing.clock import Clock, SystemClock


@dataclass(frozen=True, slots=True)
class Target:
    """What to read, as it follows from the spec, and the time for both documents together.

    The key set is read where it is expected, whatever the discovery document says: what stands elsewhere is somebody
    else's, and a stranger's document must not choose where the operator connects to.
    """

    issuer_url: str
    jwks_uri: str
    timeout: timedelta

    @property
    def discovery_url(self) -> str:
        """Where relying parties begin."""
        return discovery_url(self.issuer_url)


@dataclass(frozen=True, slots=True)
class Read:
    """Both documents as one visit got them; None for one that was not asked for, since the visit had failed before."""

    discovery: Fetched | FetchError | None
    jwks: Fetched | FetchError | None

    @property
    def whole(self) -> bool:
        """Whether both documents came."""
        return all(isinstance(a, Fetched) and a.status == HTTPStatus.OK for a in (self.discovery, self.jwks))

    @property
    def futile(self) -> bool:
        """Whether another visit would fail in the same way, and perhaps take as long."""
        failures = [a for a in (self.discovery, self.jwks) if isinstance(a, FetchError)]
        # The visits after the first are not bound to TLS 1.2: what they see still counts for the wire reading.
        return any(failure.reason is not Reason.TLSVersionUnsupported for failure in failures)


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that was read, and when; aware UTC.

    `stranger` is why somebody who trusts the public certificate authorities alone cannot read what was read; None where
    he can, or where that was not asked.
    """

    reads: tuple[Read, ...]
    at: datetime
    stranger: FetchError | None = None


async def look(
    target: Target, wire: Wire, *, stranger: Wire | None = None, clock: Clock | None = None, reads: int = 2
) -> Look:
    """Read both documents `reads` times, each time over a new connection, so that edges which differ show.

    The first visit that fails, in whatever way, is repeated at once, and only the second try counts; one such repetition
    for each look. A host that does not answer is not asked again after that, so a look takes at most twice the timeout
    there. Two reads cost about as much CPU as two bare requests over new TLS connections.

    `stranger` is a wire without the issuer's own certificate authority. Where it is given, what was read whole is read
    once more over it.
    """
    done: list[Read] = []
    repeated = False
    for number in range(reads):
        read = await _read(target, wire, number)
        if not read.whole and not repeated:
            repeated = True
            read = await _read(target, wire, number)
        done.append(read)
        if read.futile:
            break
    refused = await _refused(target, stranger, len(done)) if stranger and any(read.whole for read in done) else None
    return Look(tuple(done), (clock or SystemClock()).now(), refused)


async def _refused(target: Target, stranger: Wire, visits: int) -> FetchError | None:
    """The first failure of the stranger that a second try confirms; None where every visit gets an answer."""
    for number in range(visits):
        if await _failure(target, stranger, number) and (confirmed := await _failure(target, stranger, number)):
            return confirmed
    return None


async def _failure(target: Target, stranger: Wire, number: int) -> FetchError | None:
    try:
        async with stranger.visit(number) as visit:
            await visit.get(target.discovery_url, Deadline.after(target.timeout))
    except FetchError as error:
        return error
    return None


async def _read(target: Target, wire: Wire, number: int) -> Read:
    """One visit: discovery first, as relying parties do; later visits begin with the key set, which must be seen twice."""
    urls = [target.discovery_url, target.jwks_uri]
    answers: dict[str, Fetched | FetchError] = {}
    try:
        async with wire.visit(number) as visit:
            deadline = Deadline.after(target.timeout)
            for url in urls if number == 0 else reversed(urls):
                try:
                    answers[url] = await visit.get(url, deadline)
                except FetchError as error:
                    answers[url] = error
                    break
    except FetchError as error:  # the wire itself could not be set up
        answers.setdefault(target.discovery_url, error)
    return Read(answers.get(target.discovery_url), answers.get(target.jwks_uri))
