"""The entries of report describe the object as a whole (Ready), and conditions that are as they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue.entry import ConditionType, Entry, Severity
from oidc_publisher.findings.catalogue.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_C, _I = Severity.CRITICAL, Severity.INFO
_READY = ConditionType.READY

REPORT: Mapping[Reason, Entry] = {
    Reason.InternalError: Entry(
        _READY,
        _C,
        "The operator failed in a way it does not know.",
        "Read its log, and report it.",
        unknown=True,
    ),
    Reason.Suspended: Entry(
        _READY,
        _I,
        "spec.suspend is true: nothing is read, published or proven.",
        "Set spec.suspend to false to go on.",
        unknown=True,
    ),
    Reason.BeingDeleted: Entry(
        _READY,
        _I,
        "The OIDCIssuer is being deleted: nothing is read, published or proven any more.",
        "Wait until the finalizers in metadata.finalizers are gone; whoever set one of them has to take it off.",
        unknown=True,
    ),
    Reason.WaitingForOperator: Entry(
        _READY,
        _I,
        "No operator has looked at this object yet.",
        "Look whether the operator runs.",
        unknown=True,
    ),
    Reason.Progressing: Entry(
        _READY,
        _I,
        "The first pass is not finished.",
        "Wait a moment.",
        unknown=True,
    ),
    Reason.Proven: Entry(
        _READY,
        _I,
        "The issuer was read as a relying party reads it, and a fresh token of every API server verified.",
        "Nothing to do.",
    ),
    Reason.ProvenWithoutToken: Entry(
        _READY,
        _I,
        "The issuer was read as a relying party reads it; no API server is among the sources to mint a token.",
        "Nothing to do.",
    ),
    Reason.Succeeded: Entry(_READY, _I, "All checks of this condition passed.", "Nothing to do."),
}
