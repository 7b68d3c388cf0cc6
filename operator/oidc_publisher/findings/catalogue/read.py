"""The entries of read describe why key sources could not be read in full (KeysRead)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue.entry import ConditionType, Entry, Severity
from oidc_publisher.findings.catalogue.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_C, _W, _I = Severity.CRITICAL, Severity.WARNING, Severity.INFO
_READ, _READY = ConditionType.KEYS_READ, ConditionType.READY

READ: Mapping[Reason, Entry] = {
    Reason.SpecUnsupported: Entry(
        _READY,
        _C,
        "The object asks for something this version cannot do.",
        "Change the field that the message names, or run a version that supports it.",
        stalled=True,
    ),
    Reason.APIServerUnreachable: Entry(
        _READ,
        _W,
        "An API server did not answer.",
        "Look whether it runs and whether the operator can reach its address; the last good keys stay published.",
        unknown=True,
    ),
    Reason.APIServerCertificateInvalid: Entry(
        _READ,
        _W,
        "What answers at an API server's address has a certificate that the cluster's CA did not issue for it.",
        "Compare the CA in the operator's credentials with the API server's certificate, and look who listens there.",
        unknown=True,
    ),
    Reason.EndpointGone: Entry(
        _READ,
        _I,
        "An API server is no longer one of the issuer's: it has left the EndpointSlice default/kubernetes, or the spec.",
        "Nothing to do when it was removed on purpose; else look whether it is ready.",
    ),
    Reason.KubeconfigRefused: Entry(
        _READ,
        _C,
        "The Secret of a remote cluster holds no kubeconfig that the operator uses.",
        "Put a kubeconfig into the Secret that holds its CA and its credentials itself and names an https server.",
        stalled=True,
    ),
    Reason.ClusterDiscoveryMissing: Entry(
        _READ,
        _C,
        "The API server serves no key set (404).",
        "Give it an https --service-account-issuer without query or fragment, and remove P-224 keys: one hides all.",
        stalled=True,
    ),
    Reason.SourceForbidden: Entry(
        _READ,
        _C,
        "The operator may not read a key source.",
        "Grant its ServiceAccount the right that the message names.",
        stalled=True,
    ),
    Reason.SourceNotFound: Entry(
        _READ,
        _C,
        "A key source does not exist.",
        "Create it, or correct its name in spec.keySources; its keys stay published meanwhile.",
    ),
    Reason.SourceEmpty: Entry(
        _READ,
        _C,
        "A key source was read and names no usable key.",
        "Restore its keys, or remove the source; nothing is delisted because of it.",
    ),
    Reason.EntryUnreadable: Entry(
        _READ,
        _W,
        "An entry of a key source holds no readable public key.",
        "Correct or remove the entry; the other entries are published.",
    ),
    Reason.PrivateKeyInEntry: Entry(
        _READ,
        _C,
        "An entry of a key source holds a private key.",
        "Remove it, treat the key as exposed, and name only public halves in entryPattern.",
        stalled=True,
    ),
    Reason.KeyUnsupported: Entry(
        _READ,
        _W,
        "A key is of a type that relying parties refuse; it is left out.",
        "Use RSA of at least 2048 bits, or EC on P-256, P-384 or P-521.",
    ),
    Reason.KeyMaterialChanged: Entry(
        _READ,
        _C,
        "One key ID stands for two different keys.",
        "Find who changed the key; give the new key its own key ID.",
        stalled=True,
    ),
    Reason.VersionReused: Entry(
        _READ,
        _I,
        "Two keys carry the same version number.",
        "Nothing to do where the platform reuses numbers after pruning (OpenShift does).",
    ),
    Reason.KeyUnknownToAPIServer: Entry(
        _READ,
        _W,
        "A key is listed by another source but by no API server.",
        "Add it to the API servers' key files before it signs; if nobody expects it, look who may write to that source.",
    ),
}
