"""Serve cases of the gallery, and look at them with the operator's own probe."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from oidc_publisher.api import RelyingParty
from oidc_publisher.probe import Expected, HTTPSWire, Judgement, Target, judge, look
from tests.gallery.case import Case
from tests.gallery.cases import CHAPTERS
from tests.gallery.material import Certificates, documents, keys, public
from tests.gallery.nameserver import NameServer
from tests.gallery.place import Place


@contextmanager
def serving(case: Case, certificates: Certificates, nameserver: NameServer) -> Iterator[Place]:
    """Serve the issuer of a case, still in good order."""
    with Place(case.name, certificates, nameserver, host=case.hostname) as place:
        place.source = lambda: documents(place.issuer)
        yield place


async def judged(case: Case, place: Place) -> Judgement:
    """Return what the probe says of it, with the settings that spec.probe would have."""
    settings: dict[str, Any] = {"allowPrivateAddress": True, "relyingParties": ["Kubernetes"], **place.settings}
    wire = HTTPSWire(
        certificate_authority=place.certificates.trusted_pem, allow_private_address=settings["allowPrivateAddress"]
    )
    uri = f"{place.issuer}/openid/v1/jwks"
    seen = await look(Target(place.issuer, uri, dt.timedelta(seconds=case.timeout_s)), wire)
    expected = Expected(
        issuer_url=place.issuer,
        jwks_uri=uri,
        keys=tuple(public(key) for key in keys()),
        algorithms=frozenset({"RS256", "ES256"}),
        cache_max_age=dt.timedelta(minutes=5),
        relying_parties=tuple(RelyingParty(party) for party in settings["relyingParties"]),
    )
    return judge(seen, expected)


def told(case: Case, messages: Iterable[str]) -> list[str]:
    """Return messages in a form that runs can be compared by: of certificates without OpenSSL's words, which change."""
    return [said.partition(": ")[0] if case in CHAPTERS["TLS"] else said for said in messages]
