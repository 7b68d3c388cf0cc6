"""Evaluate federated identity credentials of Microsoft Entra. Pure.

Source: Microsoft Learn, "Workload identity federation" and "Flexible federated identity credentials".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oidc_publisher.api import RelyingParty
from oidc_publisher.keys.strictjson import quoted
from oidc_publisher.relyingparties.roletrust.judged import (
    Presented,
    RoleTrust,
    TrustCondition,
    best,
    equal,
    matches_wildcards,
    texts_of,
)

#: The issuers whose tokens Entra compares with expressions; a GitLab of one's own is among them.
_FLEXIBLE = re.compile(
    r"https://(?:token\.actions\.githubusercontent\.com|gitlab\.[\w.-]+|app\.(?:eu\.)?terraform\.io)", re.ASCII
)
_CLAIM = re.compile(r"claims\['(?P<claim>[^']+)'\]\s+(?P<how>eq|matches)\s+'(?P<value>[^']*)'")
_NOT_THERE = "cannot be judged here: the credential does not have it"


def judge_credentials(credentials: Sequence[Mapping[str, Any]], token: Presented) -> RoleTrust:
    """Judge the credential that comes nearest to trusting the token."""
    what = "the federated credential" if len(credentials) == 1 else f"the nearest of {len(credentials)} credentials"
    return RoleTrust(RelyingParty.AZURE, what, best([tuple(_conditions(one, token)) for one in credentials]))


def _conditions(credential: Mapping[str, Any], token: Presented) -> Iterator[TrustCondition]:
    for member, given in (
        ("issuer", texts_of(token.claims.get("iss"))),
        ("subject", texts_of(token.claims.get("sub"))),
    ):
        wanted = texts_of(credential.get(member))
        if wanted:
            yield equal(f"{member} is {quoted(wanted[0])}", wanted, given)
    wanted = texts_of(credential.get("audiences"))
    if wanted:
        yield equal(f"audiences are {', '.join(map(quoted, wanted))}", wanted, token.audiences)
    else:
        yield TrustCondition("audiences", holds=None, found=_NOT_THERE)
    expression = credential.get("claimsMatchingExpression")
    if expression:
        if not _FLEXIBLE.fullmatch(token.issuer_url):
            found = "cannot be judged here: Entra documents it for GitHub, GitLab and Terraform Cloud only"
            yield TrustCondition("claimsMatchingExpression is for this issuer", holds=None, found=found)
        yield from _matching(
            str(expression.get("value") or "") if isinstance(expression, dict) else str(expression), token
        )
    elif not texts_of(credential.get("subject")):
        yield TrustCondition("subject", holds=None, found=_NOT_THERE)


def _matching(text: str, token: Presented) -> Iterator[TrustCondition]:
    for part in re.split(r"\s+and\s+", text):
        found = _CLAIM.fullmatch(part.strip())
        if found is None:
            yield TrustCondition(part, holds=None, found="cannot be judged here")
            continue
        given = texts_of(token.claims.get(found["claim"]))
        if found["how"] == "eq":
            yield equal(part, (found["value"],), given)
            continue
        holds = any(matches_wildcards(found["value"], value) for value in given)
        yield TrustCondition(part, holds=holds, found=f"the token has {', '.join(map(quoted, given)) or 'none'}")
