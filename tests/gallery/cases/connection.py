"""Faults of the name, of its addresses and of the TCP connection."""

from __future__ import annotations

from oidc_publisher.findings import Reason
from tests.gallery.case import Case, Verdict
from tests.gallery.nameserver import NO_ADDRESS, NO_SUCH_NAME, SERVERS_FAIL, SILENCE, SILENT, Record
from tests.gallery.place import Place
from tests.support.hosts import Connection

_ONE_DEAD = Record(("127.0.0.1", "127.0.0.2"))
_IPV6_DEAD = Record(("127.0.0.1", "::1"))


def _private(place: Place) -> None:
    place.settings = {"allowPrivateAddress": False}


def _for_gcp(place: Place) -> None:
    place.settings = {"relyingParties": ["GCP"]}


def _ipv4_only(place: Place) -> None:
    place.resolve(_IPV6_DEAD)
    place.listen_only("127.0.0.1")


def _reset(connection: Connection, head: bytes) -> None:
    del head
    connection.reset()


CASES = (
    Case(
        "name-missing",
        "the host's name does not exist",
        lambda p: p.resolve(NO_SUCH_NAME),
        Reason.NameNotResolved,
        named=True,
    ),
    Case(
        "name-without-address",
        "the name exists and has no address",
        lambda p: p.resolve(NO_ADDRESS),
        Reason.NameNotResolved,
        named=True,
    ),
    Case(
        "name-servers-fail",
        "the name servers of the zone fail (SERVFAIL)",
        lambda p: p.resolve(SERVERS_FAIL),
        Reason.NameNotResolved,
        named=True,
    ),
    Case(
        "resolver-silent",
        "the reader's own resolver does not answer",
        lambda place: place.resolve(SILENCE),
        Reason.ProbeUnavailable,
        verdict=Verdict.UNKNOWN,
        host=f"issuer.{SILENT}",
    ),
    Case("private-address", "the name leads to a private address", _private, Reason.PrivateAddress),
    Case(
        "one-address-dead",
        "nobody answers at one of the host's two addresses",
        lambda p: p.resolve(_ONE_DEAD),
        Reason.ConnectionFailed,
        named=True,
    ),
    Case(
        "ipv6-dead",
        "nobody answers at the host's IPv6 address",
        _ipv4_only,
        Reason.ConnectionFailed,
        named=True,
        needs_ipv6=True,
    ),
    Case("connection-refused", "nothing listens at the port", Place.close, Reason.ConnectionFailed),
    Case(
        "connection-hangs",
        "packets to the port are dropped",
        Place.plug,
        Reason.ConnectionFailed,
        timeout_s=1,
        named=True,
    ),
    Case(
        "connection-reset", "each connection is reset at once", lambda p: p.speak(None, _reset), Reason.ConnectionFailed
    ),
    Case(
        "gcp-at-a-private-address",
        "Google Cloud shall use an issuer at a private address",
        _for_gcp,
        Reason.RelyingPartyRuleBroken,
    ),
)
