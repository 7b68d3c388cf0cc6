"""Make the CustomResourceDefinition of OIDCIssuer, and of any other kind, from the models."""

from collections.abc import Iterable, Mapping
from typing import Any

from oidc_publisher.api import v1alpha1
from oidc_publisher.api.common import APIModel
from oidc_publisher.api.schema import object_schema
from oidc_publisher.api.v1alpha1 import OIDCIssuer

CRD_NAME = f"{v1alpha1.PLURAL}.{v1alpha1.GROUP}"

_READY = '.status.conditions[?(@.type=="Ready")]'

#: The columns of `kubectl get oidcissuers`: name, type, JSON path, and whether only `-o wide` shows the column. A path
#: with [*] would print its first match only, and a date in the future prints `<invalid>`. So the columns are keyCount
#: and lastProvenTime.
_COLUMNS = (
    ("Ready", "string", f"{_READY}.status", False),
    ("Reason", "string", f"{_READY}.reason", False),
    ("Issuer", "string", ".spec.issuerURL", False),
    ("Keys", "integer", ".status.publication.keyCount", False),
    ("Signing Key", "string", ".status.signingKeyIDs[0]", True),
    ("Proven", "date", ".status.lastProvenTime", False),
    ("Age", "date", ".metadata.creationTimestamp", False),
    ("Store", "string", ".status.publication.location", True),
    ("Suspended", "boolean", ".spec.suspend", True),
    ("Message", "string", f"{_READY}.message", True),
)

#: The API server defines these members itself and refuses more than their types.
_OWN_OF_THE_SERVER = {"apiVersion": "string", "kind": "string", "metadata": "object"}


_Column = tuple[str, str, str, bool]


def custom_resource_definition() -> dict[str, Any]:
    """Return the CustomResourceDefinition of OIDCIssuer as JSON, the same on every call."""
    names = {
        "kind": v1alpha1.KIND,
        "listKind": v1alpha1.LIST_KIND,
        "plural": v1alpha1.PLURAL,
        "singular": v1alpha1.SINGULAR,
        "shortNames": [v1alpha1.SHORT_NAME],
    }
    return definition(OIDCIssuer, names, _COLUMNS)


def definition(model: type[APIModel], names: Mapping[str, Any], columns: Iterable[_Column]) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a cluster-scoped kind, whose status is a subresource."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{v1alpha1.GROUP}"},
        "spec": {
            "group": v1alpha1.GROUP,
            "scope": "Cluster",
            "names": dict(names),
            "versions": [
                {
                    "name": v1alpha1.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(*column) for column in columns],
                    "schema": {"openAPIV3Schema": object_schema(model, opaque=_OWN_OF_THE_SERVER)},
                }
            ],
        },
    }


def _column(name: str, kind: str, path: str, wide: bool) -> dict[str, Any]:  # noqa: FBT001 - a row of the table above
    return {"name": name, "type": kind, "jsonPath": path} | ({"priority": 1} if wide else {})
