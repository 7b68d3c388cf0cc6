"""Close a verification: who can use the issuer, who cannot, and what to change first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from oidc_publisher.api import RelyingParty
from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.verify.rulebook import result_of
from oidc_publisher.cli.verify.verification import PartyLine, PartyWords
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.wording import listed

_MANY = 8


def party_lines(findings: Sequence[Finding], parties: Iterable[RelyingParty], *, read: bool) -> Iterator[PartyLine]:
    """Yield a line for each relying party: what all parties share, and its own rules.

    `read` is whether both documents were read; without them no party is said to be able to use the issuer.
    """
    names = {party.value for party in RelyingParty}
    shared = [f for f in findings if f.reason is not Reason.RelyingPartyRuleBroken or f.subject not in names]
    common = result_of(shared)
    for party in parties:
        own = [f for f in findings if f.reason is Reason.RelyingPartyRuleBroken and f.subject == party.value]
        result = worst_of((common if common is not CheckResult.WARNING else CheckResult.YES, result_of(own)))
        if result in (CheckResult.YES, CheckResult.WARNING) and not read:
            result = CheckResult.NO_ANSWER
        because = [f.message for f in (*shared, *own) if result_of([f]) is result and result is not CheckResult.YES]
        yield PartyLine(party, result, tuple(dict.fromkeys(because)))


def worst_of(results: Iterable[CheckResult]) -> CheckResult:
    """Return the worst of several results: a NO outweighs what could not be asked."""
    found = set(results)
    order = (CheckResult.NO, CheckResult.NO_ANSWER, CheckResult.WARNING)
    return next((result for result in order if result in found), CheckResult.YES)


def sentence_of(lines: Sequence[PartyLine]) -> str:
    """Say in one sentence who can use the issuer and who cannot."""
    can, may, cannot, open_ = (
        [line.party.value for line in lines if line.result is result]
        for result in (CheckResult.YES, CheckResult.WARNING, CheckResult.NO, CheckResult.NO_ANSWER)
    )
    if not lines or len(open_) == len(lines):
        return "Nobody can tell from here whether relying parties can use this issuer."
    if len(cannot) == len(lines):
        return f"{_all_of(cannot)} cannot use this issuer."
    parts = [f"{_all_of(can)} can use this issuer" if can else ""]
    parts.append(f"{_all_of(may)} may refuse it" if may else "")
    parts.append(f"{_all_of(cannot)} cannot use {'it' if can or may else 'this issuer'}" if cannot else "")
    parts.append(f"it is open whether {_all_of(open_)} can" if open_ else "")
    return f"{'; '.join(part for part in parts if part)}."


def token_sentence(lines: Sequence[PartyWords], *, compared: bool) -> str:
    """Say in one sentence who would accept the token; `compared`: its audience or its role was given, and not left open."""
    takes, refuses = (
        [line.party.value for line in lines if line.result is r] for r in (CheckResult.YES, CheckResult.NO)
    )
    open_ = "" if compared else ", for whatever audience and subject: --audience and --role-trust compare them"
    parts = [f"{_all_of(takes)} would accept this token{open_}" if takes else ""]
    parts.append(f"{_all_of(refuses)} would refuse {'it' if takes else 'this token'}" if refuses else "")
    return (
        f"{'; '.join(part for part in parts if part)}."
        if takes or refuses
        else "Whether the token is accepted is open."
    )


def first_change(findings: Sequence[Finding]) -> str:
    """Return what to change first: the advice of the first finding of the worst kind, empty where nothing is wrong."""
    for wanted in (CheckResult.NO, CheckResult.NO_ANSWER, CheckResult.WARNING):
        found = next((f for f in findings if result_of([f]) is wanted), None)
        if found is not None:
            return f"{found.message} {found.advice}"
    return ""


def _all_of(names: Sequence[str]) -> str:
    if len(names) > 1:
        return f"{listed(names[:-1], most=_MANY)} and {names[-1]}"
    return names[0]
