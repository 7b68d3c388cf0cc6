"""Define spec.store, which names where the two documents are written."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from oidc_publisher.api.celrules import Rule, matches
from oidc_publisher.api.common import NO_OUTER_SLASH, PATH_CHARACTERS, APIModel, CertificateAuthority

Prefix = Annotated[str, Field(min_length=1, max_length=512), NO_OUTER_SLASH, PATH_CHARACTERS]


class AddressingStyle(StrEnum):
    """An AddressingStyle states where requests name the bucket: in the host, in the path, or as the client decides."""

    AUTO = "Auto"
    PATH = "Path"
    VIRTUAL = "Virtual"


class ServerSideEncryption(StrEnum):
    """A ServerSideEncryption names how S3 encrypts an object, by the values of S3's header."""

    AES256 = "AES256"
    KMS = "aws:kms"


class CloudFrontSpec(APIModel):
    """A CloudFront distribution that serves the bucket."""

    distribution_id: Annotated[
        str,
        Field(min_length=6, max_length=32),
        matches("^[A-Z0-9]+$", "must be the ID of a distribution: capital letters and digits, such as E1ABCDEF"),
    ]
    """ID of the distribution (not its domain name), such as E1ABCDEF."""


class S3StoreSpec(APIModel):
    """A bucket of Amazon S3, or of another server with S3's API that honours If-Match and If-None-Match on writes."""

    rules = (
        Rule(
            "!has(self.certificateAuthority) || has(self.endpointURL)",
            "certificateAuthority needs endpointURL",
            lambda s: s.certificate_authority is None or s.endpoint_url is not None,
            field_path=".certificateAuthority",
        ),
        Rule(
            "!has(self.kmsKeyID) || (has(self.serverSideEncryption) && self.serverSideEncryption == 'aws:kms')",
            "kmsKeyID needs serverSideEncryption: aws:kms",
            lambda s: s.kms_key_id is None or s.server_side_encryption is ServerSideEncryption.KMS,
            field_path=".kmsKeyID",
        ),
    )

    bucket: Annotated[
        str,
        Field(min_length=3, max_length=63),
        matches(
            "^[a-z0-9][a-z0-9.-]*[a-z0-9]$",
            "must be lower-case letters, digits, . and -, with a letter or digit at each end",
        ),
    ]
    """Name of the bucket, without s3:// and without a path."""
    region: Annotated[
        str,
        Field(min_length=1, max_length=32),
        matches("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "must be the code of a region, such as eu-central-1"),
    ]
    """Code of the bucket's region, such as eu-central-1. Other servers usually accept us-east-1."""
    prefix: Prefix | None = None
    """Folder in the bucket below which the documents are written, such as clusters/prod. When absent, the documents are
    written to the top of the bucket."""
    expected_bucket_owner: (
        Annotated[str, Field(max_length=12), matches("^[0-9]{12}$", "must be the 12 digits of an AWS account")] | None
    ) = None
    """The 12 digits of the AWS account that owns the bucket. Nothing is read or written when the bucket belongs to
    another account, because anybody can create a bucket with the name of a deleted one."""
    endpoint_url: (
        Annotated[
            str,
            Field(min_length=8, max_length=255),
            matches(
                r"^https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?$",
                "must be an http or https URL without user information, query or fragment",
            ),
        ]
        | None
    ) = None
    """URL of the S3 server when the server is not Amazon's (MinIO, Ceph, R2 and others)."""
    addressing_style: AddressingStyle = AddressingStyle.AUTO
    """Where requests name the bucket. Virtual puts the name into the host name, Path into the path (which many other
    servers need), Auto lets the client decide."""
    certificate_authority: CertificateAuthority | None = None
    """PEM certificates to trust beside the system's for connections to endpointURL."""
    server_side_encryption: ServerSideEncryption | None = None
    """Encryption that every write requests: AES256 or aws:kms. Set it only for buckets whose policy demands it;
    otherwise the bucket's own setting applies. Anonymous readers cannot read objects that are encrypted with aws:kms,
    except through a CDN."""
    kms_key_id: (
        Annotated[
            str,
            Field(min_length=1, max_length=2048),
            matches("^[A-Za-z0-9:/_-]+$", "must be the ARN, the ID or the alias of a KMS key"),
        ]
        | None
    ) = None
    """The KMS key for aws:kms. When absent, S3 uses the account's own key for S3, which no CDN may use."""
    cloud_front: CloudFrontSpec | None = None
    """The distribution that serves this bucket to the public. Its CDN cache is invalidated for documents that changed.
    They count as published when the public URL shows them, not before."""


class GCSStoreSpec(APIModel):
    """A bucket of Google Cloud Storage."""

    bucket: Annotated[
        str,
        Field(min_length=3, max_length=222),
        matches(
            "^[a-z0-9][a-z0-9._-]*[a-z0-9]$",
            "must be lower-case letters, digits, ., _ and -, with a letter or digit at each end",
        ),
    ]
    """Name of the bucket, without gs:// and without a path."""
    prefix: Prefix | None = None
    """Folder in the bucket below which the documents are written, such as clusters/prod. When absent, the documents are
    written to the top of the bucket."""


class StoreSpec(APIModel):
    """Where the documents are stored; set exactly one member."""

    rules = (
        Rule(
            "[has(self.s3), has(self.gcs)].exists_one(x, x)",
            "exactly one of s3 and gcs must be set",
            lambda s: (s.s3 is None) != (s.gcs is None),
        ),
    )

    s3: S3StoreSpec | None = None
    """Write to Amazon S3, with or without CloudFront in front of it, or to another server with S3's API."""
    gcs: GCSStoreSpec | None = None
    """Write to Google Cloud Storage."""

    @property
    def selected(self) -> S3StoreSpec | GCSStoreSpec:
        """The member that is set."""
        for member in (self.s3, self.gcs):
            if member is not None:
                return member
        raise AssertionError("a rule of this model says that one is set")
