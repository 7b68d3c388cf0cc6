"""Check the times of a token against the clocks of this machine and of the issuer's host. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.text.times import away, length
from oidc_publisher.cli.verify.token.world import Checked, World
from oidc_publisher.cli.verify.verification import TokenCheck
from oidc_publisher.probe import TokenFacts
from oidc_publisher.relyingparties.ownwords import Refusal

#: Clocks of relying parties differ from this machine's by less than this, as a rule (rotation.clockSkew).
SKEW = timedelta(minutes=5)
_DAY = timedelta(hours=24)
_ENTRA_LONGEST = timedelta(hours=25)


def time_checks(facts: TokenFacts, claims: Mapping[str, Any], world: World) -> Checked:
    """Check begin, end and length; where the clocks differ, the times have to hold by both."""
    earliest = latest = world.now
    if world.clock_offset is not None and abs(world.clock_offset) > SKEW:
        earliest, latest = sorted((world.now, world.now + world.clock_offset))
        off = f"this machine's clock is {length(world.clock_offset)} {'behind' if world.clock_offset > timedelta() else 'ahead of'} the host's"
        yield (
            TokenCheck("the clocks agree", CheckResult.WARNING, off, "The times below have to hold by both clocks."),
            None,
        )
    if facts.expires_at is None or facts.issued_at is None:
        yield TokenCheck("it has iat and exp", CheckResult.NO, "one of them is missing"), Refusal.EXPIRED
        return
    yield _expiry(facts.expires_at, latest)
    yield from _begin(max(filter(None, (facts.issued_at, moment(claims.get("nbf"))))), earliest)
    yield from _lengths(facts.issued_at, facts.expires_at, latest)


def _begin(begins: datetime, now: datetime) -> Checked:
    if begins > now:
        result = CheckResult.NO if begins > now + SKEW else CheckResult.WARNING
        found = f"it begins {away(begins, now)}"
        advice = "Compare the clocks of the signer and of this machine."
        yield (
            TokenCheck("it is valid already", result, found, advice),
            Refusal.TOO_EARLY if result is CheckResult.NO else None,
        )


def _expiry(expires: datetime, now: datetime) -> tuple[TokenCheck, Refusal | None]:
    if expires > now:
        return TokenCheck("it has not expired", CheckResult.YES, f"it ends {away(expires, now)}"), None
    advice = "Take a fresh token. A program that holds this one has to read its file again."
    return TokenCheck("it has not expired", CheckResult.NO, f"it ended {away(expires, now)}", advice), Refusal.EXPIRED


def _lengths(issued: datetime, expires: datetime, now: datetime) -> Checked:
    if now - issued > _DAY:
        found = f"issued {away(issued, now)}; AWS and GCP refuse tokens that are older than a day"
        yield TokenCheck("it is younger than a day", CheckResult.WARNING, found), Refusal.TOO_OLD
    if expires - issued > _ENTRA_LONGEST:
        found = f"it lives {length(expires - issued)}; Entra refuses tokens of more than a day"
        advice = "Set expirationSeconds of the projected volume to 86400 at most, with an audience of its own."
        yield TokenCheck("it lives a day at most", CheckResult.WARNING, found, advice), Refusal.TOO_LONG


def moment(value: object) -> datetime | None:
    """Return the time of a NumericDate (RFC 7519, section 2), None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (OverflowError, OSError, ValueError):
        return None
