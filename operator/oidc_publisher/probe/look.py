"""Probe an issuer: fetch both documents several times, as relying parties do. This module decides nothing."""

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
    """The target holds the URLs to fetch, as the spec gives them, and the time for both documents together.

    The key set is fetched from the expected URL, whatever jwks_uri the discovery document names. A document that
    somebody else wrote must not choose the host that the operator connects to.
    """

    issuer_url: str
    jwks_uri: str
    timeout: timedelta

    @property
    def discovery_url(self) -> str:
        """The URL of the discovery document, which relying parties fetch first."""
        return discovery_url(self.issuer_url)


@dataclass(frozen=True, slots=True)
class Read:
    """One read holds both documents as one visit fetched them; None for one not asked for after an earlier failure."""

    discovery: Fetched | FetchError | None
    jwks: Fetched | FetchError | None

    @property
    def whole(self) -> bool:
        """Whether both documents were fetched with status 200."""
        return all(isinstance(a, Fetched) and a.status == HTTPStatus.OK for a in (self.discovery, self.jwks))

    @property
    def futile(self) -> bool:
        """Whether another visit would fail in the same way, perhaps only after the same time."""
        failures = [a for a in (self.discovery, self.jwks) if isinstance(a, FetchError)]
        # Later visits are not limited to TLS 1.2, so their results still count for the WireReading.
        return any(failure.reason is not Reason.TLSVersionUnsupported for failure in failures)


@dataclass(frozen=True, slots=True)
class Look:
    """The result of one probe holds every read and the time of the probe (aware UTC).

    `stranger` is why a client that trusts public certificate authorities alone cannot read the documents; None where
    such a client can, or where that was not tried.
    """

    reads: tuple[Read, ...]
    at: datetime
    stranger: FetchError | None = None


async def look(
    target: Target, wire: Wire, *, stranger: Wire | None = None, clock: Clock | None = None, reads: int = 2
) -> Look:
    """Fetch both documents `reads` times, each time over a new connection, so that differing CDN edges are seen.

    The first visit that fails, in whatever way, is repeated at once, and only the second try counts; a probe repeats
    one visit at most. A host that does not answer is not asked again after that, so that a probe takes at most twice
    the timeout there. Two reads cost about as much CPU as two bare requests over new TLS connections.

    `stranger` is a wire without the issuer's own certificate authority. Where it is given and a read was whole, the
    discovery document is fetched once more over it for each read.
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
    """Return the first failure over the stranger's wire that a second try confirms, None where every visit succeeds."""
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
    """Fetch both documents in one visit.

    The first visit begins with the discovery document, as relying parties do. Later visits begin with the key set,
    because a second read of the key set is required.
    """
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
