"""The entries of plan describe what the rules of rotation find; they belong to the condition SafeToSign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue.entry import ConditionType, Entry, Severity
from oidc_publisher.findings.catalogue.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_C, _W, _I = Severity.CRITICAL, Severity.WARNING, Severity.INFO
_PLAN = ConditionType.SAFE_TO_SIGN

PLAN: Mapping[Reason, Entry] = {
    Reason.SigningKeyUnknown: Entry(
        _PLAN,
        _C,
        "An API server signs with a key that no source lists.",
        "Add the public half of its signing key to --service-account-key-file or to another key source.",
    ),
    Reason.SignedBeforeSafe: Entry(
        _PLAN,
        _C,
        "A key signed before every cache could know it.",
        "Some verifiers refuse its tokens until then; sign with the former key meanwhile if you can.",
    ),
    Reason.SigningKeyUnlisted: Entry(
        _PLAN,
        _W,
        "A key still signs but no source lists it; it is kept.",
        "Add its public half to --service-account-key-file of every API server.",
    ),
    Reason.TooManyKeys: Entry(
        _PLAN,
        _W,
        "There are more keys than relying parties take.",
        "Retire keys that no longer sign; some gateways take 10 keys, AWS takes 100 of a type.",
    ),
    Reason.ClockUntrusted: Entry(
        _PLAN,
        _W,
        "The operator's clock differs from the clocks of the API server, the store and the wire.",
        "Synchronise the clock of the node; no key becomes safe and none leaves until then.",
        unknown=True,
    ),
    Reason.RetirementBlocked: Entry(
        _PLAN,
        _W,
        "A key could not be confirmed as unused, so it stays.",
        "Make the source or endpoint that the message names readable.",
    ),
    Reason.RetirementOverdue: Entry(
        _PLAN,
        _W,
        "A key is past its retire time and still published.",
        "Look at the findings beside this one: something keeps a pass from being complete.",
    ),
    Reason.KeyWithdrawn: Entry(
        _PLAN,
        _W,
        "A key in rotation.withdrawnKeyIDs is still listed or still signs.",
        "Remove it from the API servers; tokens that it signs are refused by relying parties.",
    ),
    Reason.KeyUnlistedSomewhere: Entry(
        _PLAN,
        _W,
        "An API server does not list a key that others list, or may sign with: it would refuse the tokens of those that do.",
        "Add its public half to --service-account-key-file of the API servers named and restart them, or take it from the "
        "others where it is to go; do not sign with it until then.",
    ),
    Reason.KeyTypeChange: Entry(
        _PLAN,
        _I,
        "The first key of another type was published.",
        "Before it signs, restart relying parties that froze their algorithms at start (openidconnect-rs, Spring, jose).",
    ),
    Reason.PrePublishing: Entry(
        _PLAN,
        _I,
        "A key is not yet known to every cache.",
        "Do not sign with it before its safeSinceTime is in status.keys: `oidc-publisher wait NAME --safe-to-sign KID`.",
    ),
    Reason.PrePublishShort: Entry(
        _PLAN,
        _W,
        "The pre-publish period is shorter than two hours.",
        "Use 24h outside of tests: clouds keep key sets for an undocumented time.",
    ),
}
