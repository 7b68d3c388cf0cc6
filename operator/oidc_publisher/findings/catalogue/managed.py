"""The entries of managed keys describe the ring of signing keys; they belong to the condition Ready of SigningKeyRing.

Among the findings of an OIDCIssuer they are warnings, which never move its Ready: what is published was proven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue.entry import ConditionType, Entry, Severity
from oidc_publisher.findings.catalogue.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_C, _W, _I = Severity.CRITICAL, Severity.WARNING, Severity.INFO
_READY = ConditionType.READY

MANAGED: Mapping[Reason, Entry] = {
    Reason.RingUnreadable: Entry(
        _READY,
        _W,
        "A signer cannot read the ring of signing keys; it goes on with what its disk holds, and nothing rotates.",
        "Look at the signer's credentials, at its wrapping key, which is to be the same on every node, and at the Secret.",
    ),
    Reason.RingReplaced: Entry(
        _READY,
        _C,
        "The Secret holds another ring of signing keys than the disks; nothing is joined, and signing goes on from disk.",
        "Decide which ring is the right one: put the Secret back from a backup, or empty it, so that the disks fill it again.",
        stalled=True,
    ),
    Reason.RingBehind: Entry(
        _READY,
        _W,
        "A ledger holds a key of the API servers that the ring does not know; no version is made, because its number may be taken.",
        "Start the signers that are away, whose disks may know the key; a key of the API servers' former key files retires by "
        "itself.",
    ),
    Reason.VersionConflict: Entry(
        _READY,
        _W,
        "Two keys had the same version, as after a restore of etcd; one of them has a new number now, and both verify.",
        "Nothing has to be done; take the numbers from the ring's status from now on, not from notes of before the restore.",
    ),
    Reason.ManagedRotationBlocked: Entry(
        _READY,
        _W,
        "A rotation was asked for or is due, and does not go by itself.",
        "Do what the message says; tokens are signed with the present version meanwhile.",
    ),
    Reason.SignerSilent: Entry(
        _READY,
        _W,
        "A signer has not reported for minutes: it is stopped, or it does not reach an API server.",
        "Look whether the signer of the node that the message names runs, and at its log; where that node is gone for good, "
        "remove its entry from the status of the SigningKeyRing.",
    ),
    Reason.WaitingForSigner: Entry(
        _READY,
        _I,
        "No signer has looked at this SigningKeyRing yet.",
        "Look whether the signers run beside the API servers.",
        unknown=True,
    ),
}
