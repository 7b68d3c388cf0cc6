"""Explain a token, check it against what the issuer serves, and say what relying parties would answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from oidc_publisher.api import RelyingParty, format_time
from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.text.times import away, length
from oidc_publisher.cli.verify.rulebook import result_of
from oidc_publisher.cli.verify.verification import PartyWords, TokenCheck, TokenPart
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys.strictjson import quoted
from oidc_publisher.probe import Judgement, SignatureCheck, TokenFacts, check_signature, read_token, token_parts
from oidc_publisher.probe.text import shown
from oidc_publisher.relyingparties import broken_rules
from oidc_publisher.relyingparties.ownwords import Refusal, first_refusal, own_words
from oidc_publisher.relyingparties.roletrust import Presented, RoleTrust, judge_role_trust
from oidc_publisher.wording import listed

#: Clocks of relying parties differ from this machine's by less than this, as a rule (rotation.clockSkew).
SKEW = timedelta(minutes=5)
_DAY = timedelta(hours=24)
_ENTRA_LONGEST = timedelta(hours=25)
#: The claims whose values are shown; of others only the name is, because a value may be confidential.
_KNOWN = ("iss", "sub", "aud", "azp", "exp", "nbf", "iat")
_TIMES = ("exp", "nbf", "iat")
_UNTRUSTED = {
    Reason.CertificateUntrusted,
    Reason.CertificateChainIncomplete,
    Reason.CertificateExpired,
    Reason.CertificateNameMismatch,
}
_BY_RULE = {
    "PublicAddress": Refusal.UNREADABLE,
    "PublicTrust": Refusal.UNTRUSTED_TLS,
}
_MOST_KEYS = 8
_Checked = Iterator[tuple[TokenCheck, Refusal | None]]


@dataclass(frozen=True, slots=True)
class GivenToken:
    """What a person gave: a token, the audiences that the relying party expects, and what the role trusts."""

    token: str
    audiences: tuple[str, ...]
    role_trust: bytes | None

    @property
    def compared(self) -> bool:
        """Whether anything was given that audience or subject are compared with."""
        return bool(self.audiences) or self.role_trust is not None


@dataclass(frozen=True, slots=True)
class World:
    """What the token is compared with: the issuer as it was given, and what the probe judged of it."""

    issuer_url: str
    judgement: Judgement
    findings: tuple[Finding, ...]
    parties: tuple[RelyingParty, ...]
    now: datetime
    clock_offset: timedelta | None


def token_part(given: GivenToken, world: World) -> TokenPart:
    """Return the token explained and checked.

    Raises:
        NoRoleTrustError: the role trust is no document that says what a role trusts.
    """
    header, claims = token_parts(given.token)
    facts = read_token(given.token)
    trust = (
        judge_role_trust(given.role_trust, Presented(world.issuer_url, claims))
        if given.role_trust is not None
        else None
    )
    checked = [
        *_issuer(facts, world),
        *_key(given.token, facts, world.judgement),
        *_claims(claims),
        *_times(facts, claims, world),
        *_audience(facts, given.audiences),
        *_trust(trust),
    ]
    causes = frozenset(cause for _, cause in checked if cause)
    return TokenPart(
        header={name: shown(str(header[name])) for name in ("alg", "kid", "typ") if name in header},
        claims=dict(_explained(claims, world.now)),
        other_claims=tuple(
            sorted(shown(name)[1:-1] for name in claims if name not in _KNOWN and name != "kubernetes.io")
        ),
        checks=tuple(check for check, _ in checked),
        parties=tuple(_words(party, causes, trust, facts, claims, world) for party in world.parties),
    )


def _explained(claims: Mapping[str, Any], now: datetime) -> Iterator[tuple[str, str]]:
    for name in _KNOWN:
        if name in claims:
            yield name, _time(claims[name], now) if name in _TIMES else _text(claims[name])
    bound = claims.get("kubernetes.io")
    if isinstance(bound, dict):
        for kind in ("namespace", "serviceaccount", "pod", "node"):
            value = bound.get(kind)
            value = value.get("name") if isinstance(value, dict) else value
            if isinstance(value, str):
                yield f"kubernetes.io {kind}", shown(value)


def _text(value: object) -> str:
    return ", ".join(shown(str(one)) for one in value) if isinstance(value, list) else shown(str(value))


def _time(value: object, now: datetime) -> str:
    moment = _moment(value)
    return "no time" if moment is None else f"{format_time(moment)} ({away(moment, now)})"


def _moment(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _issuer(facts: TokenFacts, world: World) -> _Checked:
    check = "iss is this issuer, byte for byte"
    if facts.issuer == world.issuer_url:
        yield TokenCheck(check, CheckResult.YES, ""), None
        return
    near = facts.issuer.rstrip("/").casefold() == world.issuer_url.rstrip("/").casefold()
    found = f"the token has {shown(facts.issuer)}" + (
        ", which differs by a slash or the case of letters" if near else ""
    )
    advice = "Verify the issuer that the token names; where this one is meant, correct --service-account-issuer."
    yield TokenCheck(check, CheckResult.NO, found, advice), Refusal.WRONG_ISSUER


def _key(token: str, facts: TokenFacts, judgement: Judgement) -> _Checked:
    name = "without a kid" if facts.key_id is None else f"kid {quoted(facts.key_id)}"
    found_key, signature = "the token's key is served", "the served key verifies the signature"
    if judgement.jwks is None:
        yield TokenCheck(found_key, CheckResult.NO_ANSWER, "no key set was read"), None
        return
    result = check_signature(token, facts, judgement.jwks)
    if result is SignatureCheck.KEY_NOT_SERVED:
        served = [str(key.get("kid")) for key in judgement.served.keys] if judgement.served else []
        found = f"{name}; served are {listed(map(quoted, served), most=_MOST_KEYS) or 'none'}"
        advice = "Publish the public half of the signing key, or take a token that a served key has signed."
        yield TokenCheck(found_key, CheckResult.NO, found, advice), Refusal.NO_KEY
        return
    yield TokenCheck(found_key, CheckResult.YES, name), None
    if result is SignatureCheck.OTHER_ALGORITHM:
        yield TokenCheck(signature, CheckResult.NO, f"alg is {quoted(facts.algorithm)}"), Refusal.ALGORITHM
    elif result is SignatureCheck.INVALID:
        advice = (
            "Two keys share one key ID, or the token was changed: compare the served key with the signer's public half."
        )
        yield TokenCheck(signature, CheckResult.NO, "the key of that kid is another one", advice), Refusal.BAD_SIGNATURE
    else:
        yield TokenCheck(signature, CheckResult.YES, facts.algorithm), None
        yield from _advertised(facts, judgement)


def _advertised(facts: TokenFacts, judgement: Judgement) -> _Checked:
    check = "the document advertises the token's algorithm"
    if judgement.served is None:
        return
    stated = judgement.served.discovery.get("id_token_signing_alg_values_supported")
    advertised = [str(one) for one in stated] if isinstance(stated, list) and stated else ["RS256"]  # as go-oidc has it
    if facts.algorithm in advertised:
        yield TokenCheck(check, CheckResult.YES, ""), None
    else:
        found = f"{facts.algorithm} is not among {', '.join(map(quoted, advertised))}"
        yield (
            TokenCheck(check, CheckResult.NO, found, "Advertise it; parties read the list at their start."),
            Refusal.ALGORITHM,
        )


def _claims(claims: Mapping[str, Any]) -> _Checked:
    """Check what parties read before they compare anything; Vault's role names the claims that it needs."""
    audiences = claims.get("aud")
    every = audiences if isinstance(audiences, list) else [audiences]
    wrong = [
        name
        for name, bad in (
            ("sub", not isinstance(claims.get("sub", ""), str)),
            ("aud", "aud" in claims and not all(isinstance(one, str) for one in every)),
            ("nbf", claims.get("nbf") is not None and _moment(claims["nbf"]) is None),
        )
        if bad
    ]
    if wrong:
        found = f"{listed(wrong, most=_MOST_KEYS)} is of another type"
        yield (
            TokenCheck("its claims are of their types", CheckResult.NO, found, "Look at what signs it."),
            Refusal.MALFORMED,
        )
    missing = [name for name in ("sub", "aud") if claims.get(name) in (None, "", [])]
    if missing:
        found = f"{listed(missing, most=_MOST_KEYS)} is missing; Vault alone may take it, where its role says so"
        yield TokenCheck("it has a subject and an audience", CheckResult.WARNING, found), Refusal.INCOMPLETE


def _times(facts: TokenFacts, claims: Mapping[str, Any], world: World) -> _Checked:
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
    yield from _begin(max(filter(None, (facts.issued_at, _moment(claims.get("nbf"))))), earliest)
    yield from _lengths(facts.issued_at, facts.expires_at, latest)


def _begin(begins: datetime, now: datetime) -> _Checked:
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


def _lengths(issued: datetime, expires: datetime, now: datetime) -> _Checked:
    if now - issued > _DAY:
        found = f"issued {away(issued, now)}; AWS and GCP refuse tokens that are older than a day"
        yield TokenCheck("it is younger than a day", CheckResult.WARNING, found), Refusal.TOO_OLD
    if expires - issued > _ENTRA_LONGEST:
        found = f"it lives {length(expires - issued)}; Entra refuses tokens of more than a day"
        advice = "Set expirationSeconds of the projected volume to 86400 at most, with an audience of its own."
        yield TokenCheck("it lives a day at most", CheckResult.WARNING, found, advice), Refusal.TOO_LONG


def _audience(facts: TokenFacts, wanted: Sequence[str]) -> _Checked:
    has = ", ".join(map(shown, facts.audiences)) or "none"
    for audience in wanted:
        check = f"aud has {shown(audience)}"
        if audience in facts.audiences:
            yield TokenCheck(check, CheckResult.YES, f"{has}"), None
        else:
            advice = "Ask for a token with that audience, or register the token's with the relying party."
            yield TokenCheck(check, CheckResult.NO, f"the token has {has}", advice), Refusal.AUDIENCE


def _trust(trust: RoleTrust | None) -> _Checked:
    for condition in trust.conditions if trust else ():
        result = {True: CheckResult.YES, False: CheckResult.NO, None: CheckResult.NO_ANSWER}[condition.holds]
        yield TokenCheck(f"{trust.party.value if trust else ''}: {condition.what}", result, condition.found), None


def _words(
    party: RelyingParty,
    causes: frozenset[Refusal],
    trust: RoleTrust | None,
    facts: TokenFacts,
    claims: Mapping[str, Any],
    world: World,
) -> PartyWords:
    own = set(causes) | set(_of_documents(world.findings)) | set(_of_rules(party, world.judgement))
    if trust is not None and trust.party is party and trust.failing:
        own.add(Refusal.SUBJECT_CASE if all(one.letter_case for one in trust.failing) else Refusal.SUBJECT)
    refusal = first_refusal(party, frozenset(own))
    if refusal is not None:
        words = own_words(
            party,
            refusal,
            issuer=shown(facts.issuer),
            issued=str(claims.get("iat", "")),
            audience=", ".join(map(shown, facts.audiences)),
            key_id=facts.key_id or "",
        )
        return PartyWords(party, CheckResult.NO, words, refusal.value)
    if world.judgement.jwks is None:
        return PartyWords(party, CheckResult.NO_ANSWER, "", "no key set was read")
    if trust is not None and trust.party is party and any(one.holds is None for one in trust.conditions):
        return PartyWords(party, CheckResult.NO_ANSWER, "", "a condition of the role could not be judged here")
    return PartyWords(party, CheckResult.YES, "", "nothing speaks against the token")


def _of_documents(findings: Sequence[Finding]) -> Iterator[Refusal]:
    for finding in findings:
        if result_of([finding]) is CheckResult.NO and finding.reason is not Reason.RelyingPartyRuleBroken:
            yield Refusal.UNTRUSTED_TLS if finding.reason in _UNTRUSTED else Refusal.UNREADABLE


def _of_rules(party: RelyingParty, judgement: Judgement) -> Iterator[Refusal]:
    for rule in broken_rules(party, judgement.served) if judgement.served else ():
        if rule.certain:
            yield _BY_RULE.get(rule.rule, Refusal.OWN_RULE)
