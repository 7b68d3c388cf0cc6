"""The entries of report describe the object as a whole (Ready), and conditions that are as they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue.entry import ConditionType, Entry, Severity
from oidc_publisher.findings.catalogue.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_C, _W, _I = Severity.CRITICAL, Severity.WARNING, Severity.INFO
_READY = ConditionType.READY

REPORT: Mapping[Reason, Entry] = {
    Reason.InternalError: Entry(
        _READY,
        _C,
        "The operator failed in a way it does not know.",
        "Read its log, and report it.",
        unknown=True,
    ),
    Reason.SecondOperator: Entry(
        _READY,
        _W,
        "Two operators look after the same OIDCIssuer; each write of one makes a pass of the other begin anew.",
        "Keep one release for each cluster (helm list -A) and one replica for each shard; this goes an hour after the other "
        "one has stopped.",
    ),
    Reason.PassesLate: Entry(
        _READY,
        _W,
        "The operator has more to do than it has places for, so that proofs grow older than the interval.",
        "Raise --max-concurrent or the number of shards, or lengthen spec.interval of issuers that need it less.",
    ),
    Reason.EventsForbidden: Entry(
        _READY,
        _W,
        "The operator may not record events: kubectl describe and kubectl events show nothing of what happens.",
        "Allow its ServiceAccount to create events (events.k8s.io) in namespace default; the Helm chart does so with rbac.create.",
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
