"""The entries of events describe what is over as soon as it has happened, so that no finding stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue.entry import ConditionType, Entry, Severity
from oidc_publisher.findings.catalogue.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_I = Severity.INFO
_PLAN, _PUBLISH = ConditionType.SAFE_TO_SIGN, ConditionType.PUBLISHED

EVENTS: Mapping[Reason, Entry] = {
    Reason.DriftRepaired: Entry(
        _PUBLISH,
        _I,
        "A stored document differed from the plan and was written again.",
        "Look who else writes to the bucket.",
    ),
    Reason.DocumentsAdopted: Entry(
        _PUBLISH,
        _I,
        "Documents that another owner wrote were taken over.",
        "Keys that were not in them are safe to sign with only when their safeSinceTime is in status.keys.",
    ),
    Reason.StoreChanged: Entry(
        _PUBLISH,
        _I,
        "The documents are published and proven at a new place; those at the former one are left as they are.",
        "Delete the former documents when nothing serves them any more.",
    ),
    Reason.DocumentsDeleted: Entry(
        _PUBLISH,
        _I,
        "The documents were deleted with their OIDCIssuer.",
        "Nothing to do; no relying party accepts a token of this issuer any more.",
    ),
    Reason.DocumentsLeft: Entry(
        _PUBLISH,
        _I,
        "The OIDCIssuer was deleted and documents were left as they are.",
        "Delete them by hand when no token of this issuer is in use any more.",
    ),
    Reason.LedgerRebuilt: Entry(
        _PLAN,
        _I,
        "The ledger was rebuilt from the stored documents.",
        "Nothing to do after a restore of the object or of etcd.",
    ),
    Reason.KeySafe: Entry(_PLAN, _I, "A key became safe to sign with.", "Sign with it when you are ready."),
    Reason.KeyRetired: Entry(_PLAN, _I, "A retired key left the published set.", "Nothing to do."),
}
