"""Send requests to the API servers over aiohttp, with the credentials of a kubeconfig or a pod, and translate errors."""

from oidc_publisher.cluster.answer import Answer
from oidc_publisher.cluster.client import ClusterClient
from oidc_publisher.cluster.credentials.credentials import Credentials, load_credentials
from oidc_publisher.cluster.endpoints import api_server_endpoints
from oidc_publisher.cluster.events import post_event
from oidc_publisher.cluster.failures import ConflictError, CredentialsError
from oidc_publisher.cluster.issuers import get_issuer, kube_system_uid, patch_finalizers, patch_status
from oidc_publisher.cluster.objects import ObjectReference, get_object, watch_object
from oidc_publisher.cluster.port import ClusterAPI
from oidc_publisher.cluster.tokens import TokenReview, mint_token, review_token

__all__ = [
    "Answer",
    "ClusterAPI",
    "ClusterClient",
    "ConflictError",
    "Credentials",
    "CredentialsError",
    "ObjectReference",
    "TokenReview",
    "api_server_endpoints",
    "get_issuer",
    "get_object",
    "kube_system_uid",
    "load_credentials",
    "mint_token",
    "patch_finalizers",
    "patch_status",
    "post_event",
    "review_token",
    "watch_object",
]
