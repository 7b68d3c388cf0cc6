"""Speak with the API server by the standard library alone: the Secret, the issuers, and the SigningKeyRing."""

from oidc_publisher.signer.kube.kubeaccess import KubeAccess, KubeAccessError
from oidc_publisher.signer.kube.kubeapi import KubeApi, KubeRequestError
from oidc_publisher.signer.kube.ringreport import report_of, trouble_of
from oidc_publisher.signer.kube.ringreporter import RingReporter
from oidc_publisher.signer.kube.secretring import SecretRing
from oidc_publisher.signer.kube.sightings import sight_of, write_report

__all__ = [
    "KubeAccess",
    "KubeAccessError",
    "KubeApi",
    "KubeRequestError",
    "RingReporter",
    "SecretRing",
    "report_of",
    "sight_of",
    "trouble_of",
    "write_report",
]
