"""Check a token against what the issuer serves and against what was given. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.verify.token.validity import moment
from oidc_publisher.cli.verify.token.world import Checked, World
from oidc_publisher.cli.verify.verification import TokenCheck
from oidc_publisher.keys.strictjson import quoted
from oidc_publisher.probe import Judgement, SignatureCheck, TokenFacts, check_signature
from oidc_publisher.probe.text import shown
from oidc_publisher.relyingparties.ownwords import Refusal
from oidc_publisher.relyingparties.roletrust import RoleTrust
from oidc_publisher.wording import listed

_MOST_KEYS = 8
#: The longest WebIdentityToken of AssumeRoleWithWebIdentity, by the service model of STS in botocore.
_STS_LONGEST = 20_000


def form_checks(token: str, header: Mapping[str, Any]) -> Checked:
    """Check what is refused before anything of the token is compared: its length, and `crit` in its header."""
    if len(token) > _STS_LONGEST:
        found = f"it has {len(token):,}; STS refuses the request"
        advice = "Leave claims out, or ask for fewer audiences."
        yield (
            TokenCheck("AWS: it has 20,000 characters at most", CheckResult.WARNING, found, advice),
            Refusal.TOO_LARGE,
        )
    if "crit" in header:
        # RFC 7515, section 4.1.11: who does not know an extension refuses the token. RFC 7797, section 7: no JWT has b64.
        found = f"it is {shown(str(header['crit']))}"
        advice = "Look at what signs it: kube-apiserver sets alg, kid and typ alone."
        yield TokenCheck("its header asks for no extension", CheckResult.NO, found, advice), Refusal.NOT_UNDERSTOOD


def issuer_checks(facts: TokenFacts, world: World) -> Checked:
    """Compare `iss` with the issuer as it was given."""
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


def key_checks(token: str, facts: TokenFacts, judgement: Judgement) -> Checked:
    """Look for the key of the token among the served ones, and verify the signature."""
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


def _advertised(facts: TokenFacts, judgement: Judgement) -> Checked:
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


def claim_checks(claims: Mapping[str, Any]) -> Checked:
    """Check what parties read before they compare anything; Vault's role names the claims that it needs."""
    audiences = claims.get("aud")
    every = audiences if isinstance(audiences, list) else [audiences]
    wrong = [
        name
        for name, bad in (
            ("sub", not isinstance(claims.get("sub", ""), str)),
            ("aud", "aud" in claims and not all(isinstance(one, str) for one in every)),
            ("nbf", claims.get("nbf") is not None and moment(claims["nbf"]) is None),
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


def audience_checks(facts: TokenFacts, wanted: Sequence[str]) -> Checked:
    """Compare `aud` with each audience that the relying party expects."""
    has = ", ".join(map(shown, facts.audiences)) or "none"
    for audience in wanted:
        check = f"aud has {shown(audience)}"
        if audience in facts.audiences:
            yield TokenCheck(check, CheckResult.YES, f"{has}"), None
        else:
            advice = "Ask for a token with that audience, or register the token's with the relying party."
            yield TokenCheck(check, CheckResult.NO, f"the token has {has}", advice), Refusal.AUDIENCE


def trust_checks(trust: RoleTrust | None) -> Checked:
    """Show each condition of the role."""
    for condition in trust.conditions if trust else ():
        result = {True: CheckResult.YES, False: CheckResult.NO, None: CheckResult.NO_ANSWER}[condition.holds]
        yield TokenCheck(f"{trust.party.value if trust else ''}: {condition.what}", result, condition.found), None
