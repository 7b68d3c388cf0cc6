"""Define the whole object SigningKeyRing in version v1alpha1, and read it."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import ValidationError

from oidc_publisher.api.celrules import Rule
from oidc_publisher.api.common import APIModel
from oidc_publisher.api.managed.ringspec import SigningKeyRingSpec
from oidc_publisher.api.managed.ringstatus import WAITING_RING, SigningKeyRingStatus
from oidc_publisher.api.specerrors import invalid_object
from oidc_publisher.api.v1alpha1 import API_VERSION, ObjectMeta

RING_KIND: Final = "SigningKeyRing"
RING_PLURAL = "signingkeyrings"
RING_SHORT_NAME = "skr"
#: A cluster has one ring, whose name everybody knows.
RING_NAME = "default"


class SigningKeyRing(APIModel):
    """The versions of the key with which this cluster signs ServiceAccount tokens.

    A signer beside each API server makes the versions, keeps them, and signs with the newest one that every API server
    and every relying party can verify.
    """

    rules = (
        Rule(
            f"self.metadata.name == '{RING_NAME}'",
            f"metadata.name must be {RING_NAME}: a cluster has one ring",
            lambda o: o.metadata.name == RING_NAME,
        ),
    )

    api_version: Literal["oidc-publisher.io/v1alpha1"] = API_VERSION
    kind: Literal["SigningKeyRing"] = RING_KIND
    metadata: ObjectMeta
    spec: SigningKeyRingSpec = SigningKeyRingSpec()
    """Which versions of the signing key are to exist."""
    status: SigningKeyRingStatus = WAITING_RING
    """What the signers report. Only they write it."""


def read_ring(obj: Mapping[str, Any]) -> SigningKeyRing:
    """Read the SigningKeyRing in `obj`, with the API's defaults where a member is absent.

    Raises `InvalidObjectError`, which names every faulty field and repeats no value. A status that is malformed is left
    out, because nothing decides by it.
    """
    try:
        ring = SigningKeyRing.model_validate({k: v for k, v in obj.items() if k != "status"})
    except ValidationError as error:
        raise invalid_object(error, name=RING_NAME, kind=RING_KIND) from None  # the cause would repeat the values
    try:
        status = SigningKeyRingStatus.model_validate(obj.get("status") or {})
    except ValidationError:
        return ring
    return ring.model_copy(update={"status": status})
