"""Let many strangers read an issuer at once, as jobs do that start together. One burst, and never more than 50."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from statistics import median

from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.verify.subject import Subject
from oidc_publisher.cli.verify.verification import LoadPart
from oidc_publisher.documents import discovery_url
from oidc_publisher.errors import FetchError
from oidc_publisher.probe import Deadline

_THROTTLED = frozenset({str(HTTPStatus.TOO_MANY_REQUESTS.value), str(HTTPStatus.SERVICE_UNAVAILABLE.value)})
_ADVICE = "See docs/how-to/when-tokens-fail-at-random.md: let the host serve bursts (a CDN in front does), and let jobs start apart."


@dataclass(frozen=True, slots=True)
class _Stranger:
    """What one stranger got: both documents after so many milliseconds, or why not."""

    ms: int
    failure: str = ""


async def burst(subject: Subject, jwks_uri: str, strangers: int) -> LoadPart:
    """Let `strangers` read both documents at the same time, each over a connection of its own and once."""
    got = await asyncio.gather(*(_one(subject, jwks_uri, number) for number in range(strangers)))
    return judged(tuple(got))


async def _one(subject: Subject, jwks_uri: str, number: int) -> _Stranger:
    loop = asyncio.get_running_loop()
    began = loop.time()
    failure = ""
    try:
        # From visit 2 on no further check of the certificate is made. Addresses take turns.
        async with subject.wire.visit(number + 2) as visit:
            deadline = Deadline.after(subject.timeout)
            for url in (discovery_url(subject.issuer_url), jwks_uri):
                answer = await visit.get(url, deadline)
                if answer.status != HTTPStatus.OK:
                    failure = str(answer.status)
                    break
    except FetchError as error:
        failure = error.reason.value
    return _Stranger(round((loop.time() - began) * 1000), failure)


def judged(got: tuple[_Stranger, ...]) -> LoadPart:
    """Judge what the strangers got. Pure."""
    served = [one.ms for one in got if not one.failure]
    others = Counter(one.failure for one in got if one.failure)
    throttled = bool(_THROTTLED & others.keys())
    found = f"{len(served)} of {len(got)} strangers at once read both documents in time"
    if throttled:
        found += "; the host throttles, and relying parties that fetch then refuse tokens"
    return LoadPart(
        strangers=len(got),
        served=len(served),
        median_ms=round(median(served)) if served else None,
        slowest_ms=max(served, default=None),
        others=dict(others),
        result=CheckResult.NO if others else CheckResult.YES,
        found=found,
        advice=_ADVICE if others else "",
    )
