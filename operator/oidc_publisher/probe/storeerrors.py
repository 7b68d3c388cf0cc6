"""Derive the error code and the advice from the error page that a store sends to anonymous readers. Pure.

The finding repeats the code, and the advice follows from the code. Where one answer has several causes that cannot be
told apart from outside, the advice names all of them: a guess would send people to the wrong page of the console.
"""

from __future__ import annotations

import re

#: The error code: <Code> in the XML API of S3 and Cloud Storage, "Code:" in a page of S3's website endpoints, "reason"
#: in Cloud Storage's JSON API.
_CODE = re.compile(rb'(?:<Code>|<li>Code: |"reason"\s*:\s*")([A-Za-z0-9.]{1,64})[<"]')
_ENDPOINT = re.compile(rb"<Endpoint>([A-Za-z0-9.-]{1,255})</Endpoint>")
_HTML = re.compile(rb"\s*(?:<!doctype html|<html\b)", re.IGNORECASE)

_ADVICE = (
    (
        # cloud.google.com/storage/docs/requester-pays: requests without a project to bill fail with 400.
        re.compile(rb"UserProjectMissing|requester pays", re.IGNORECASE),
        (
            "The bucket lets the requester pay, which no relying party does. Turn requester pays off:"
            " gcloud storage buckets update gs://BUCKET --no-requester-pays."
        ),
    ),
    (
        # Cloud Storage gives the same answer for a missing grant, an overruled grant and a missing object.
        re.compile(rb"does not have storage\.objects\.get access"),
        (
            "Check both: that allUsers has roles/storage.objectViewer on the bucket, and that public access prevention is"
            " not enforced, by the bucket or by its organization's policy. Without the right to list, Cloud Storage says"
            " the same of an object that does not exist."
        ),
    ),
    (
        # S3 requires a signed request for an object that is encrypted with a KMS key, so anonymous readers cannot read
        # it.
        re.compile(rb"<Code>(?:KMS\.|InvalidArgument</Code>.*\bKMS\b)", re.DOTALL),
        "Objects that are encrypted with a KMS key cannot be public: let the bucket encrypt with SSE-S3 (AES256).",
    ),
    (
        re.compile(rb"<Code>NoSuchBucket</Code>"),
        "The bucket that this URL names does not exist: compare issuerURL with the bucket.",
    ),
    (
        re.compile(rb"<Code>(?:Permanent|Temporary)Redirect</Code>"),
        (
            "Relying parties do not follow. Let what serves issuerURL read the bucket at the endpoint that S3 names"
            " (CloudFront: as the origin's domain name), or publish in the region whose endpoint issuerURL names."
        ),
    ),
    (
        # CloudFront answers this itself, without a request to the bucket.
        re.compile(rb"Missing Key-Pair-Id"),
        "The distribution wants signed URLs: open the behaviour of both paths (Restrict viewer access: No).",
    ),
    (
        re.compile(rb"<Code>PublicAccessNotPermitted</Code>|Public access is not permitted on this storage account"),
        "Allow public access in the storage account's settings, or serve its static website.",
    ),
    (
        # Only S3 sends a HostId. It answers AccessDenied to anonymous readers for four causes; one is a missing object.
        re.compile(rb"<Code>AccessDenied</Code>.*<HostId>", re.DOTALL),
        (
            "Allow public read of the two objects: check the bucket policy, Block Public Access of the bucket and of the"
            " account, and Requester Pays (or the CDN's origin access). Without public s3:ListBucket, S3 says the same of"
            " an object that does not exist."
        ),
    ),
)
#: Stores answer API requests in XML or JSON. An HTML page is for people and comes from something in front of the store.
_WALL_ADVICE = (
    "A page for people answers, and no store: a firewall, a bot protection, a login or a web server in front. Let anonymous"
    " GET of both paths through it, without a challenge, from everywhere and for every User-Agent."
)
# docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/http-403-permission-denied.html
_CLOUDFRONT_ADVICE = (
    "CloudFront refuses by itself: look at the distribution's alternate domain names, its AWS WAF rules and its geographic"
    " restrictions, and let anonymous GET of both paths through."
)


def code_of(body: bytes) -> str:
    """Return the error code of the store's own catalogue, empty where the page names none."""
    found = _CODE.search(body)
    return found[1].decode() if found else ""


def endpoint_of(body: bytes) -> str:
    """Return the endpoint at which S3 serves the bucket, empty where the page names no endpoint."""
    found = _ENDPOINT.search(body)
    return found[1].decode() if found else ""


def advice_for(body: bytes) -> str | None:
    """Return the advice for the store's owner, None where the page adds nothing to the status."""
    return next((advice for pattern, advice in _ADVICE if pattern.search(body)), None)


def advice_for_refusal(body: bytes) -> str | None:
    """Return the advice for a refusal of anonymous readers (401, 403), by the store or by something in front of it."""
    if not _HTML.match(body) or code_of(body):
        return advice_for(body)
    return _CLOUDFRONT_ADVICE if b"Generated by cloudfront" in body else _WALL_ADVICE
