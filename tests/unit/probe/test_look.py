"""How often an issuer is read, in which order, and when a failure counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from oidc_publisher.errors import FetchError
from oidc_publisher.findings import Reason
from oidc_publisher.probe import Fetched, Look, MemoryWire, Target, look, serving
from tests.support.issuervectors import DISCOVERY_URL, ISSUER, JWKS_URI, answer

TARGET = Target(ISSUER, JWKS_URI, dt.timedelta(seconds=5))
DISCOVERY, JWKS = answer("good", "discovery", DISCOVERY_URL), answer("good", "jwks", JWKS_URI)
GOOD = serving({DISCOVERY_URL: DISCOVERY, JWKS_URI: JWKS})


def failing(reason: Reason, *, times: int, url: str = DISCOVERY_URL) -> Callable[[str, int], Fetched]:
    """Return a host that fails that often and is good afterwards."""
    left = [times]

    def handler(asked: str, number: int) -> Fetched:
        if asked == url and left[0]:
            left[0] -= 1
            raise FetchError(reason, "made by the test", subject=asked)
        return GOOD(asked, number)

    return handler


async def test_a_good_issuer_is_read_twice_by_two_visits() -> None:
    """Discovery first, as relying parties do; the second visit begins with what must be seen twice."""
    wire = MemoryWire(GOOD)
    seen = await look(TARGET, wire)
    assert wire.requests == [(0, DISCOVERY_URL), (0, JWKS_URI), (1, JWKS_URI), (1, DISCOVERY_URL)]
    assert [(read.discovery, read.jwks) for read in seen.reads] == [(DISCOVERY, JWKS)] * 2
    assert all(read.whole for read in seen.reads)


@pytest.mark.parametrize("url", [DISCOVERY_URL, JWKS_URI])
async def test_a_failure_that_the_second_try_does_not_confirm_does_not_count(url: str) -> None:
    """One lost packet must not write a condition."""
    wire = MemoryWire(failing(Reason.ConnectionFailed, times=1, url=url))
    seen = await look(TARGET, wire)
    assert len(seen.reads) == 2
    assert all(read.whole for read in seen.reads)


async def test_a_status_is_confirmed_too() -> None:
    """S3 answers 503 now and then."""
    answers = iter([Fetched(DISCOVERY_URL, 503)])
    wire = MemoryWire(lambda url, number: next(answers, None) or GOOD(url, number))
    assert all(read.whole for read in (await look(TARGET, wire)).reads)


async def test_a_stranger_reads_discovery_by_the_same_ways() -> None:
    """Once for each visit, and his failure counts when the second try confirms it."""
    stranger = MemoryWire(GOOD)
    seen = await look(TARGET, MemoryWire(GOOD), stranger=stranger)
    assert seen.stranger is None
    assert stranger.requests == [(0, DISCOVERY_URL), (1, DISCOVERY_URL)]
    once = MemoryWire(failing(Reason.CertificateUntrusted, times=1))
    assert (await look(TARGET, MemoryWire(GOOD), stranger=once)).stranger is None
    never = MemoryWire(failing(Reason.CertificateUntrusted, times=9))
    refused = (await look(TARGET, MemoryWire(GOOD), stranger=never)).stranger
    assert refused is not None
    assert refused.reason is Reason.CertificateUntrusted
    assert len(never.requests) == 2


async def test_an_edge_that_only_some_trust_is_seen_whichever_it_is() -> None:
    """The second address of the host has a certificate of another CA."""

    def handler(url: str, number: int) -> Fetched:
        if number == 1:
            raise FetchError(Reason.CertificateUntrusted, "made by the test", subject=url)
        return GOOD(url, number)

    assert (await look(TARGET, MemoryWire(GOOD), stranger=MemoryWire(handler))).stranger is not None


async def test_no_stranger_is_sent_where_nothing_was_read() -> None:
    """The failure that is known says it all."""
    stranger = MemoryWire(GOOD)
    await look(TARGET, MemoryWire(failing(Reason.TooSlow, times=9)), stranger=stranger)
    assert stranger.requests == []


async def test_a_confirmed_failure_ends_the_look() -> None:
    """A host that does not answer is asked twice, not four times."""
    wire = MemoryWire(failing(Reason.TooSlow, times=9))
    seen = await look(TARGET, wire)
    assert wire.requests == [(0, DISCOVERY_URL)] * 2
    assert len(seen.reads) == 1
    assert isinstance(seen.reads[0].discovery, FetchError)
    assert seen.reads[0].jwks is None


async def test_a_wrong_status_does_not_end_the_look() -> None:
    """It comes quickly, and the other document still tells something."""
    seen = await look(TARGET, MemoryWire(serving({JWKS_URI: JWKS})))
    assert [(read.discovery, read.jwks) for read in seen.reads] == [(Fetched(DISCOVERY_URL, 404), JWKS)] * 2


async def test_a_host_without_tls_1_2_is_still_read_by_the_later_visit() -> None:
    """Its keys are on the wire for everybody who speaks TLS 1.3."""

    def handler(url: str, number: int) -> Fetched:
        if number == 0:
            raise FetchError(Reason.TLSVersionUnsupported, "made by the test", subject=url)
        return GOOD(url, number)

    seen = await look(TARGET, MemoryWire(handler))
    assert isinstance(seen.reads[0].discovery, FetchError)
    assert seen.reads[1].jwks == JWKS


async def test_a_host_is_asked_for_the_expected_key_set_only() -> None:
    """A stranger's document must not choose where the operator connects to."""
    wire = MemoryWire(
        serving({DISCOVERY_URL: answer("jwks-uri-of-the-api-server", "discovery", DISCOVERY_URL), JWKS_URI: JWKS})
    )
    await look(TARGET, wire)
    assert {url for _, url in wire.requests} == {DISCOVERY_URL, JWKS_URI}


async def test_reads_can_be_more() -> None:
    """`oidc-publisher verify` takes its time."""
    seen: Look = await look(TARGET, MemoryWire(GOOD), reads=4)
    assert len(seen.reads) == 4
