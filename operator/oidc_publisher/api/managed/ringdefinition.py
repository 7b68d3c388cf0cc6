"""Make the CustomResourceDefinition of SigningKeyRing from the models."""

from typing import Any

from oidc_publisher.api.crd import definition
from oidc_publisher.api.managed.signingkeyring import RING_KIND, RING_PLURAL, RING_SHORT_NAME, SigningKeyRing
from oidc_publisher.api.v1alpha1 import GROUP

RING_CRD_NAME = f"{RING_PLURAL}.{GROUP}"

#: The columns of `kubectl get signingkeyrings`, as those of OIDCIssuer. A date in the future prints `<invalid>`, so that
#: the time of the next rotation is shown as a text. Of several versions in a state the first is shown, the newest.
_COLUMNS = (
    ("Signing", "string", '.status.versions[?(@.state=="Signing")].version', False),
    ("Newest", "string", ".status.versions[0].version", False),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', False),
    ("Waiting For", "string", ".status.waitingFor", False),
    ("Next", "string", ".status.nextRotationTime", False),
    ("Age", "date", ".metadata.creationTimestamp", False),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', True),
    ("Rotating", "string", '.status.conditions[?(@.type=="Rotating")].status', True),
    ("Suspended", "boolean", ".spec.suspend", True),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', True),
)


def signing_key_ring_definition() -> dict[str, Any]:
    """Return the CustomResourceDefinition as JSON, the same on every call."""
    names = {"kind": RING_KIND, "plural": RING_PLURAL, "singular": RING_KIND.lower(), "shortNames": [RING_SHORT_NAME]}
    return definition(SigningKeyRing, names, _COLUMNS)
