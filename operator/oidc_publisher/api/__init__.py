"""Define OIDCIssuer v1alpha1 as models, which are the single source of the CustomResourceDefinition. Pure."""

from oidc_publisher.api.common import format_time
from oidc_publisher.api.crd import CRD_NAME, custom_resource_definition
from oidc_publisher.api.durations import format_duration, parse_duration
from oidc_publisher.api.keysources import (
    APIServerSourceSpec,
    ConfigMapSourceSpec,
    FilesSourceSpec,
    KeySourceSpec,
    KubeconfigSecretSpec,
    SecretSourceSpec,
    remote_cluster,
)
from oidc_publisher.api.parsing import read_issuer, read_status
from oidc_publisher.api.spec import Adoption, DeletionPolicy, OIDCIssuerSpec, ProbeSpec, RelyingParty
from oidc_publisher.api.status import (
    OIDCIssuerStatus,
    StatusCacheAge,
    StatusCondition,
    StatusEndpoint,
    StatusFinding,
    StatusKey,
    StatusKeyOrigin,
    StatusLedger,
    StatusPublication,
    to_status_json,
)
from oidc_publisher.api.storespec import AddressingStyle, GCSStoreSpec, S3StoreSpec
from oidc_publisher.api.v1alpha1 import (
    API_VERSION,
    GROUP,
    KIND,
    PLURAL,
    RECONCILE_REQUESTED_AT,
    VERSION,
    ObjectMeta,
    OIDCIssuer,
)
from oidc_publisher.errors import InvalidObjectError

__all__ = [
    "API_VERSION",
    "CRD_NAME",
    "GROUP",
    "KIND",
    "PLURAL",
    "RECONCILE_REQUESTED_AT",
    "VERSION",
    "APIServerSourceSpec",
    "AddressingStyle",
    "Adoption",
    "ConfigMapSourceSpec",
    "DeletionPolicy",
    "FilesSourceSpec",
    "GCSStoreSpec",
    "InvalidObjectError",
    "KeySourceSpec",
    "KubeconfigSecretSpec",
    "OIDCIssuer",
    "OIDCIssuerSpec",
    "OIDCIssuerStatus",
    "ObjectMeta",
    "ProbeSpec",
    "RelyingParty",
    "S3StoreSpec",
    "SecretSourceSpec",
    "StatusCacheAge",
    "StatusCondition",
    "StatusEndpoint",
    "StatusFinding",
    "StatusKey",
    "StatusKeyOrigin",
    "StatusLedger",
    "StatusPublication",
    "custom_resource_definition",
    "format_duration",
    "format_time",
    "parse_duration",
    "read_issuer",
    "read_status",
    "remote_cluster",
    "to_status_json",
]
