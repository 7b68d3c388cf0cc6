"""Evaluate the trust policy of an IAM role for sts:AssumeRoleWithWebIdentity. Pure.

Sources: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Available keys for AWS web identity
federation"; measured by nobody here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from oidc_publisher.api import RelyingParty
from oidc_publisher.keys.strictjson import quoted
from oidc_publisher.relyingparties.roletrust.judged import (
    NoRoleTrustError,
    Presented,
    RoleTrust,
    TrustCondition,
    best,
    matches_wildcards,
    said,
    texts_of,
)

_ACTION = "sts:assumerolewithwebidentity"
_OPERATOR = re.compile(
    r"(?:(?P<set>ForAllValues|ForAnyValue):)?(?P<name>String(?P<not>Not)?(?P<how>EqualsIgnoreCase|Equals|Like))"
    r"(?P<exists>IfExists)?",
    re.IGNORECASE,
)
_MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "equals": lambda wanted, given: wanted == given,
    "equalsignorecase": lambda wanted, given: wanted.lower() == given.lower(),
    "like": matches_wildcards,
}
#: The claims of any issuer that STS offers to policies. Others exist for a few issuers that AWS knows by name.
_CLAIMS = frozenset({"aud", "sub", "amr", "oaud", "azp", "email", "id"})


def judge_policy(policy: Mapping[str, Any], token: Presented) -> RoleTrust:
    """Judge the statement that comes nearest to letting the token in, and every Deny that keeps it out.

    Raises:
        NoRoleTrustError: the policy has no statements.
    """
    statements = policy.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not all(isinstance(one, dict) for one in statements) or not statements:
        raise NoRoleTrustError("is a policy without statements")
    allowing = [one for one in statements if one.get("Effect") == "Allow" and _is_federation(one)]
    denying = [one for one in statements if one.get("Effect") == "Deny" and _is_federation(one)]
    if not allowing:
        none = TrustCondition("Allow sts:AssumeRoleWithWebIdentity", holds=False, found="no statement allows it")
        return RoleTrust(RelyingParty.AWS, "the trust policy", (none,))
    conditions = best([tuple(_conditions(one, token)) for one in allowing])
    return RoleTrust(RelyingParty.AWS, "the trust policy", (*conditions, *_denials(denying, token)))


def _is_federation(statement: Mapping[str, Any]) -> bool:
    if "NotAction" in statement:
        return not _names_action(statement["NotAction"])
    return _names_action(statement.get("Action"))


def _names_action(actions: object) -> bool:
    return any(matches_wildcards(action.lower(), _ACTION) for action in texts_of(actions))


def _denials(statements: Sequence[Mapping[str, Any]], token: Presented) -> Iterator[TrustCondition]:
    what = "no Deny statement"
    for statement in statements:
        holds = [condition.holds for condition in _conditions(statement, token)]
        if None in holds and False not in holds:
            found = "whether a Deny statement of the policy applies cannot be judged here"
            yield TrustCondition(what, holds=None, found=found)
        elif False not in holds:
            yield TrustCondition(what, holds=False, found="a Deny statement of the policy applies")


def _conditions(statement: Mapping[str, Any], token: Presented) -> Iterator[TrustCondition]:
    yield _principal(statement, token)
    blocks = statement.get("Condition", {})
    if not isinstance(blocks, dict) or not all(isinstance(keys, dict) for keys in blocks.values()):
        yield TrustCondition("Condition", holds=None, found="it is not written as IAM takes it")
        return
    for operator, keys in blocks.items():
        for key, wanted in keys.items():
            yield _condition(str(operator), str(key), texts_of(wanted), token)


def _principal(statement: Mapping[str, Any], token: Presented) -> TrustCondition:
    if "NotPrincipal" in statement:
        return TrustCondition("NotPrincipal", holds=None, found="cannot be judged here")
    principal = statement.get("Principal")
    principal = principal if isinstance(principal, dict) else {"Federated": principal}
    named = texts_of(principal.get("Federated"))
    providers = [name.partition(":oidc-provider/")[2] or name for name in named]
    what = f"Principal.Federated is {said(providers)}"
    everybody = "*" in (*named, *texts_of(principal.get("AWS")))
    if token.provider in named:
        return TrustCondition(what, holds=None, found="IAM takes the provider's ARN here, and not its name alone")
    if everybody or token.provider in providers:
        return TrustCondition(what, holds=True, found="it is this issuer")
    near = {text.rstrip("/").casefold() for text in providers}
    hint = (
        ", which differs by a slash or the case of letters only"
        if token.provider.rstrip("/").casefold() in near
        else ""
    )
    return TrustCondition(what, holds=False, found=f"this issuer is {quoted(token.provider)}{hint}")


def _condition(operator: str, key: str, wanted: Sequence[str], token: Presented) -> TrustCondition:
    what = f"{operator} {key} {said(wanted)}"
    parsed = _OPERATOR.fullmatch(operator)
    provider, _, claim = key.rpartition(":")
    absent = ""
    if provider.casefold() == f"https://{token.provider}".casefold():
        absent = "keys name the issuer without https://, so that this key is never there"
    elif provider.rstrip("/").casefold() != token.provider.rstrip("/").casefold():
        return TrustCondition(what, holds=None, found="depends on the request, not on the token")
    elif provider.casefold() != token.provider.casefold():
        absent = f"the keys of this issuer begin with {quoted(token.provider + ':')}"
    if parsed is None or claim.lower() not in _CLAIMS or not wanted:
        return TrustCondition(what, holds=None, found="cannot be judged here")
    if any("${" in one for one in wanted):
        return TrustCondition(what, holds=None, found="cannot be judged here: it has a variable")
    compared = _compared(what, parsed, wanted, () if absent else _given(claim.lower(), token))
    return replace(compared, found=absent) if absent else compared


def _given(claim: str, token: Presented) -> tuple[str, ...]:
    """Return the values that STS offers for a key: with `azp` in the token, `aud` is that, and `oaud` the audience."""
    if claim == "aud" and "azp" in token.claims:
        return texts_of(token.claims["azp"])
    return texts_of(token.claims.get("aud" if claim == "oaud" else claim))


def _compared(what: str, operator: re.Match[str], wanted: Sequence[str], given: Sequence[str]) -> TrustCondition:
    matches = _MATCHES[operator["how"].lower()]
    of, negated = (operator["set"] or "").lower(), bool(operator["not"])
    # Without a set operator, a negated one holds where its opposite does not: no value may match, and none need be there.
    every = of == "forallvalues" or (negated and not of)
    if not given:
        return TrustCondition(what, holds=every or bool(operator["exists"]), found="the token has no such claim")
    if len(given) > 1 and not of:
        found = f"the token has {said(given)}, and IAM compares several values with ForAnyValue: or ForAllValues: only"
        return TrustCondition(what, holds=None, found=found)
    met = [any(matches(one, value) for one in wanted) is not negated for value in given]
    holds = all(met) if every else any(met)
    found = f"it is {said(given)}" if holds else f"the token has {said(given)}{_trap(operator, wanted, given)}"
    return TrustCondition(what, holds=holds, found=found)


def _trap(operator: re.Match[str], wanted: Sequence[str], given: Sequence[str]) -> str:
    if operator["not"]:
        return ""
    if operator["how"].lower() == "equals" and any(matches_wildcards(one, value) for one in wanted for value in given):
        return "; StringEquals takes * and ? literally: use StringLike"
    folded = {one.casefold() for one in wanted} & {value.casefold() for value in given}
    return ", which differs in the case of letters only" if folded else ""
