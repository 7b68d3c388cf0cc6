"""Say what relying parties would answer to a token, in their own words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oidc_publisher.api import RelyingParty
from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.verify.rulebook import result_of
from oidc_publisher.cli.verify.token.world import World
from oidc_publisher.cli.verify.verification import PartyWords
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.probe import Judgement, TokenFacts
from oidc_publisher.probe.text import shown
from oidc_publisher.relyingparties import broken_rules
from oidc_publisher.relyingparties.ownwords import Refusal, first_refusal, own_words
from oidc_publisher.relyingparties.roletrust import RoleTrust

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


def party_words(
    party: RelyingParty,
    causes: frozenset[Refusal],
    trust: RoleTrust | None,
    facts: TokenFacts,
    claims: Mapping[str, Any],
    world: World,
) -> PartyWords:
    """Return what the relying party answers: the words of its first refusal, or that nothing speaks against the token."""
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
