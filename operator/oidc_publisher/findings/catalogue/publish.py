"""The entries of publish describe why the stored documents differ from the planned ones (Published)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue.entry import ConditionType, Entry, Severity
from oidc_publisher.findings.catalogue.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_C, _W = Severity.CRITICAL, Severity.WARNING
_PUBLISH = ConditionType.PUBLISHED

PUBLISH: Mapping[Reason, Entry] = {
    Reason.NoUsableKey: Entry(
        _PUBLISH,
        _C,
        "There is no key to publish; nothing was written.",
        "Make one key source readable.",
    ),
    Reason.EndpointNotAllowed: Entry(
        _PUBLISH,
        _C,
        "The operator may not use the server that endpointURL names; no request was sent there.",
        "Name another server, or start the operator with --store-endpoint for this one.",
        stalled=True,
    ),
    Reason.CredentialsMissing: Entry(
        _PUBLISH,
        _C,
        "The operator has no credentials for the store.",
        "Give its ServiceAccount a cloud identity, or set the usual environment variables.",
        stalled=True,
    ),
    Reason.AccessDenied: Entry(
        _PUBLISH,
        _C,
        "The store refuses the operator's identity.",
        "Allow it to get and put the two objects.",
        stalled=True,
    ),
    Reason.BucketNotFound: Entry(
        _PUBLISH,
        _C,
        "The bucket does not exist.",
        "Create it, or correct spec.store.",
        stalled=True,
    ),
    Reason.BucketOwnedByAnother: Entry(
        _PUBLISH,
        _C,
        "The bucket belongs to another account than expectedBucketOwner.",
        "Correct expectedBucketOwner, or find out who took the bucket's name.",
        stalled=True,
    ),
    Reason.WrongRegion: Entry(
        _PUBLISH,
        _C,
        "The bucket is in another region.",
        "Set the region that the message names.",
        stalled=True,
    ),
    Reason.KMSDenied: Entry(
        _PUBLISH,
        _C,
        "The bucket encrypts with a KMS key that the operator may not use.",
        "Allow kms:GenerateDataKey and kms:Decrypt, or use SSE-S3: anonymous readers cannot read KMS objects.",
        stalled=True,
    ),
    Reason.ClockSkewed: Entry(
        _PUBLISH,
        _C,
        "The store refuses requests because the operator's clock is off.",
        "Synchronise the clock of the node.",
    ),
    Reason.StoreUnavailable: Entry(
        _PUBLISH,
        _W,
        "The store did not answer.",
        "Look at its endpoint and at the network; what is published stays.",
        unknown=True,
    ),
    Reason.ConditionalWritesUnsupported: Entry(
        _PUBLISH,
        _C,
        "The store ignores preconditions, so two writers could overwrite each other.",
        "Use a store with conditional writes (If-None-Match and If-Match).",
        stalled=True,
    ),
    Reason.DocumentsNotOurs: Entry(
        _PUBLISH,
        _C,
        "There are documents at this place that another owner wrote.",
        "To take them over set spec.adoption: Merge keeps their keys published until no token signed with them can live, "
        "Replace overwrites them at once and breaks such tokens. Or choose another place.",
        stalled=True,
    ),
    Reason.DocumentsOfAnotherIssuer: Entry(
        _PUBLISH,
        _C,
        "The documents that spec.adoption: Merge found are those of another issuer or of another key set path.",
        "Nothing was written. Create the OIDCIssuer again with the issuerURL and the jwksPath that the documents name, or set "
        "spec.adoption: Replace, which breaks tokens that verify with them.",
        stalled=True,
    ),
    Reason.OwnershipLost: Entry(
        _PUBLISH,
        _C,
        "Another owner has taken the documents over; nothing is written any more.",
        "Decide who owns this place. To take it back, stop the other owner, then delete this OIDCIssuer (with "
        "deletionPolicy Retain) and create it again with spec.adoption Merge.",
        stalled=True,
    ),
    Reason.InvalidationDenied: Entry(
        _PUBLISH,
        _W,
        "CloudFront was not asked to drop its copies, or refused.",
        "Allow cloudfront:CreateInvalidation; until then copies live for their max-age.",
    ),
    Reason.DistributionMismatch: Entry(
        _PUBLISH,
        _C,
        "The CloudFront distribution does not serve this bucket.",
        "Correct distributionID.",
        stalled=True,
    ),
}
