"""Define SigningKeyRing v1alpha1: what people ask of the ring of signing keys, and what its signers report. Pure."""

from oidc_publisher.api.managed.ringdefinition import RING_CRD_NAME, signing_key_ring_definition
from oidc_publisher.api.managed.ringspec import RingAlgorithm, SigningKeyRingSpec
from oidc_publisher.api.managed.ringstatus import SigningKeyRingStatus, StatusSigner, StatusVersion
from oidc_publisher.api.managed.signingkeyring import RING_KIND, RING_NAME, RING_PLURAL, SigningKeyRing, read_ring

__all__ = [
    "RING_CRD_NAME",
    "RING_KIND",
    "RING_NAME",
    "RING_PLURAL",
    "RingAlgorithm",
    "SigningKeyRing",
    "SigningKeyRingSpec",
    "SigningKeyRingStatus",
    "StatusSigner",
    "StatusVersion",
    "read_ring",
    "signing_key_ring_definition",
]
