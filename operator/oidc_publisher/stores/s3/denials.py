"""Explain a request that S3, or a server with S3's API, understood and refused: the cause, and the correction."""

from __future__ import annotations

import re
from http import HTTPStatus

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.connections import origin_of
from oidc_publisher.stores.s3.endpoint import S3Call
from oidc_publisher.stores.s3.policies import Denial

_STATUSES = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
#: The codes that mean no more than "denied". Where the answer is no XML of S3, botocore makes a code of the status.
_SIMPLY_DENIED = {"AccessDenied", "AccessForbidden", "Forbidden"}
_OBJECT_LOCK = re.compile(r"object ?lock|\bWORM\b", re.IGNORECASE)
_READ_PERMISSIONS = "s3:GetObject and s3:PutObject on both objects, and s3:ListBucket on the bucket"
_QUOTA = "The quota of the bucket or of its owner is used up: raise it, or remove what is not needed."
_UNLOCK = (
    "Remove the retention or legal hold from the two objects, or choose a bucket without Object Lock: documents that cannot"
    " be replaced cannot follow the cluster's keys."
)
_NOT_S3 = "A proxy, a firewall or a login page answers there: look at endpointURL and at what stands before it."
_DEMANDS = (
    "It may demand encryption (spec.store.s3.serverSideEncryption), or an ACL, which the operator never sends: except its"
    " role from that statement."
)
#: The advice about a code that only this kind of store has.
LOOK_IT_UP = "Look the code up in the manual of the store. Its own words are in the operator's log."


def denied(call: S3Call, code: str, status: int, text: str) -> StoreError | None:
    """Return the error of a refusal, None for an answer that is no refusal."""
    if _OBJECT_LOCK.search(code) or _OBJECT_LOCK.search(text):
        return call.denied(f" is refused because of Object Lock ({code})", _UNLOCK)
    if code.startswith("KMS."):
        return _kms(call, f"its KMS key cannot be used ({code})")
    if status not in _STATUSES:
        return None
    origin = origin_of(call.endpoint.origin)
    if code in {"", str(status)}:
        return call.denied(f": {origin} answers {status}, but not as S3 does", _NOT_S3)
    if code not in _SIMPLY_DENIED:
        hint = _QUOTA if "Quota" in code else f"This is no missing permission. {LOOK_IT_UP}"
        return call.denied(f": {origin} answers {code} ({status})", hint)
    return _by_policy(call, Denial.read(text))


def _by_policy(call: S3Call, denial: Denial) -> StoreError:
    permission = denial.permission or call.permission
    if permission.startswith("kms:"):
        return _kms(call, f"{permission} is denied{denial.sentence}")
    message = f"{permission} on {call.name} is denied{denial.sentence}"
    return StoreError(Reason.AccessDenied, message, hint=_hint(call, permission, denial), subject=call.name)


def _hint(call: S3Call, permission: str, denial: Denial) -> str:
    writes = permission == "s3:PutObject"
    if denial.explicit:
        hint = f"No allow mends an explicit deny: look for it in {denial.place}."
        return f"{hint} {_DEMANDS}" if writes else hint
    if denial.is_elsewhere:
        return f"Allow the operator {permission} in {denial.place}; an allow elsewhere is not enough."
    hint = f"Allow the operator {permission}."
    if permission == "s3:ListBucket":
        hint = "Allow the operator s3:ListBucket on the bucket: without it S3 denies reading what does not exist yet."
    elif permission == "s3:GetObject":
        hint = f"Allow the operator {_READ_PERMISSIONS}: without that, S3 denies reading what does not exist yet."
    elif writes and not denial.kind:
        hint += f" Where it is allowed, look for a Deny in the bucket's policy. {_DEMANDS}"
    if call.expected_owner:
        hint += f" If account {call.expected_owner} does not own the bucket, correct expectedBucketOwner."
    return hint


def _kms(call: S3Call, what: str) -> StoreError:
    return StoreError(Reason.KMSDenied, f"{call.name}: {what}", subject=call.name)
