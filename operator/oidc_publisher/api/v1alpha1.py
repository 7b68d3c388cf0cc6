"""Define the whole object OIDCIssuer in version v1alpha1."""

from typing import Final, Literal

from pydantic import Field

from oidc_publisher.api.celrules import Rule
from oidc_publisher.api.common import APIModel, Int64, Time
from oidc_publisher.api.spec import OIDCIssuerSpec
from oidc_publisher.api.status import WAITING_STATUS, OIDCIssuerStatus

GROUP = "oidc-publisher.io"
VERSION = "v1alpha1"
API_VERSION: Final = "oidc-publisher.io/v1alpha1"
KIND: Final = "OIDCIssuer"
LIST_KIND = "OIDCIssuerList"
PLURAL = "oidcissuers"
SINGULAR = "oidcissuer"
SHORT_NAME = "oidci"

#: A new value of this annotation requests a pass at once; status.lastHandledReconcileAt repeats the value afterwards.
RECONCILE_REQUESTED_AT = "oidc-publisher.io/reconcile-requested-at"


class ObjectMeta(APIModel):
    """ObjectMeta holds the members of metadata that the operator uses; an object from a file has few of them."""

    name: str
    uid: str = ""
    generation: Int64 = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None


class OIDCIssuer(APIModel):
    """A public OIDC issuer for the service account tokens of this cluster.

    The operator reads the cluster's public keys, publishes them as two documents, and proves that relying parties
    such as AWS, Google Cloud or Vault can verify the cluster's tokens with them.
    """

    rules = (
        Rule(
            "size(self.metadata.name) <= 63",
            "metadata.name must be at most 63 characters: it is part of the owner mark and a metric label",
            lambda o: len(o.metadata.name) <= 63,  # noqa: PLR2004 - as the rule says
        ),
    )

    api_version: Literal["oidc-publisher.io/v1alpha1"] = API_VERSION
    kind: Literal["OIDCIssuer"] = KIND
    metadata: ObjectMeta
    spec: OIDCIssuerSpec
    """What to publish, where, and for which relying parties."""
    status: OIDCIssuerStatus = WAITING_STATUS
    """What was last seen and proven. Only the operator writes the status."""

    @property
    def reconcile_requested_at(self) -> str | None:
        """The value of the annotation that requests a pass, None without it."""
        return self.metadata.annotations.get(RECONCILE_REQUESTED_AT)
