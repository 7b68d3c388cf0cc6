"""This package makes and reads the two published documents, and plans the writes that mend stored ones. Pure."""

from oidc_publisher.documents.discovery import Discovery, discovery_document, read_discovery
from oidc_publisher.documents.document import MAX_BODY_BYTES, Document, StoredDocument
from oidc_publisher.documents.jwks import KeySet, digest, jwks_document, read_jwks_document
from oidc_publisher.documents.ownermark import OwnerMark, owner_of
from oidc_publisher.documents.publication import (
    CONTENT_TYPE,
    Difference,
    PlannedDocuments,
    Write,
    WriteReason,
    cache_control,
    differences,
    plan_documents,
    plan_writes,
)
from oidc_publisher.documents.stored import StoredDocuments
from oidc_publisher.documents.urls import DISCOVERY_PATH, discovery_url, jwks_uri

__all__ = [
    "CONTENT_TYPE",
    "DISCOVERY_PATH",
    "MAX_BODY_BYTES",
    "Difference",
    "Discovery",
    "Document",
    "KeySet",
    "OwnerMark",
    "PlannedDocuments",
    "StoredDocument",
    "StoredDocuments",
    "Write",
    "WriteReason",
    "cache_control",
    "differences",
    "digest",
    "discovery_document",
    "discovery_url",
    "jwks_document",
    "jwks_uri",
    "owner_of",
    "plan_documents",
    "plan_writes",
    "read_discovery",
    "read_jwks_document",
]
