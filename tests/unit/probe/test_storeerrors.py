"""Error pages of stores to strangers: the finding says what the page says, and guesses nothing."""

from __future__ import annotations

import dataclasses

import pytest

from oidc_publisher.findings import CATALOGUE, Reason
from oidc_publisher.probe import Fetched, Look, Read, judge
from oidc_publisher.probe.storeerrors import advice_for, code_of, endpoint_of
from tests.support.issuervectors import DISCOVERY_URL, JWKS_URI, NOW, expected

# Cloud Storage's words are from cloud.google.com/storage/docs/{xml-api/reference-status,troubleshooting,requester-pays}
# and reports of users; S3's from docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
GCS_DENIED = (
    b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>AccessDenied</Code><Message>Access denied.</Message>"
    b"<Details>Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object. "
    b"Permission 'storage.objects.get' denied on resource (or it may not exist).</Details></Error>"
)
GCS_DENIED_JSON = (
    b'{"error":{"code":401,"message":"Anonymous caller does not have storage.objects.get access to the Google Cloud '
    b'Storage object.","errors":[{"domain":"global","reason":"required"}]}}'
)
GCS_PAYS = (
    b"<Error><Code>UserProjectMissing</Code><Message>User project is missing.</Message>"
    b"<Details>Bucket is a requester pays bucket but no user project provided.</Details></Error>"
)
GCS_PAYS_JSON = (
    b'{"error": {"code": 400, "message": "Bucket is a requester pays bucket but no user project provided.",'
    b' "errors": [{"domain": "global", "reason": "required"}]}}'
)
NO_BUCKET = b"<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist.</Message></Error>"
S3_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message>'
    b"<RequestId>4442587FB7D0A2F9</RequestId><HostId>abc=</HostId></Error>"
)
S3_ENCRYPTED = (
    b"<Error><Code>InvalidArgument</Code><Message>Requests specifying Server Side Encryption with AWS KMS managed keys "
    b"require AWS Signature Version 4.</Message><HostId>abc=</HostId></Error>"
)
S3_REDIRECT = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting '
    b"to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.</Message>"
    b"<Endpoint>example-oidc.s3.eu-central-1.amazonaws.com</Endpoint><Bucket>example-oidc</Bucket></Error>"
)
S3_WEBSITE = (
    b"<html>\n<head><title>403 Forbidden</title></head>\n<body>\n<h1>403 Forbidden</h1>\n<ul>\n<li>Code: AccessDenied</li>"
    b"\n<li>Message: Access Denied</li>\n</ul>\n</body>\n</html>\n"
)
CLOUDFRONT_SIGNED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>MissingKey</Code>'
    b"<Message>Missing Key-Pair-Id query parameter or cookie value</Message></Error>"
)
AZURE_DENIED = (
    b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?><Error><Code>PublicAccessNotPermitted</Code>"
    b"<Message>Public access is not permitted on this storage account.</Message></Error>"
)

PAGES = {
    "s3-other-endpoint": (301, S3_REDIRECT, Reason.Redirected, "PermanentRedirect"),
    "s3-website-denied": (403, S3_WEBSITE, Reason.AccessBlocked, "AccessDenied"),
    "cloudfront-signed-urls": (403, CLOUDFRONT_SIGNED, Reason.AccessBlocked, "MissingKey"),
    "azure-account": (409, AZURE_DENIED, Reason.UnexpectedStatus, "PublicAccessNotPermitted"),
    "gcs-no-grant-or-prevention": (403, GCS_DENIED, Reason.AccessBlocked, "AccessDenied"),
    "gcs-in-json": (401, GCS_DENIED_JSON, Reason.AccessBlocked, "required"),
    "gcs-requester-pays": (400, GCS_PAYS, Reason.UnexpectedStatus, "UserProjectMissing"),
    "gcs-requester-pays-in-json": (400, GCS_PAYS_JSON, Reason.UnexpectedStatus, "required"),
    "no-bucket": (404, NO_BUCKET, Reason.DocumentNotFound, "NoSuchBucket"),
    "s3-denied": (403, S3_DENIED, Reason.AccessBlocked, "AccessDenied"),
    "s3-encrypted": (400, S3_ENCRYPTED, Reason.UnexpectedStatus, "InvalidArgument"),
}
NAMED = {
    "s3-other-endpoint": ("example-oidc.s3.eu-central-1.amazonaws.com", "CloudFront", "region"),
    "s3-website-denied": ("bucket policy", "Block Public Access"),
    "cloudfront-signed-urls": ("signed URLs",),
    "azure-account": ("storage account",),
    "gcs-no-grant-or-prevention": ("Check both", "allUsers", "roles/storage.objectViewer", "public access prevention"),
    "gcs-in-json": ("Check both", "allUsers", "public access prevention"),
    "gcs-requester-pays": ("requester pays off", "--no-requester-pays"),
    "gcs-requester-pays-in-json": ("requester pays off",),
    "no-bucket": ("does not exist", "issuerURL"),
    "s3-denied": ("bucket policy", "Block Public Access", "Requester Pays", "s3:ListBucket"),
    "s3-encrypted": ("KMS", "SSE-S3"),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_finding_says_what_the_page_says(name: str) -> None:
    """The status, the store's own code, and every cause that this answer may have."""
    status, body, reason, code = PAGES[name]
    refused = Fetched(DISCOVERY_URL, status, body, content_type="application/xml")
    read = Read(refused, dataclasses.replace(refused, url=JWKS_URI))
    findings = judge(Look((read,), NOW), expected()).findings
    assert {finding.reason for finding in findings} == {reason}
    (of_discovery,) = (finding for finding in findings if finding.subject == DISCOVERY_URL)
    assert of_discovery.message.startswith(f"{DISCOVERY_URL} answers {status} ({code})")
    for words in NAMED[name]:
        assert words in of_discovery.sentence


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Error><Code>AccessDenied</Code><Message>by a gateway</Message></Error>",
        b'{"error":"reason unknown"}',
        b"\xff\xfe<Code>",
        b"<Code>" + b"A" * 65 + b"</Code>",
    ],
)
def test_a_page_of_nobody_known_gets_the_catalogues_advice(body: bytes) -> None:
    """A guess would be worse than the general word."""
    assert advice_for(body) is None
    refused = Fetched(DISCOVERY_URL, 403, body)
    (finding, *_) = judge(Look((Read(refused, None),), NOW), expected()).findings
    assert finding.advice == CATALOGUE[Reason.AccessBlocked].hint


# The beginnings of what these answer, from reports of their users.
WALLS = {
    "cloudflare": b"<!DOCTYPE html><html lang='en-US'><head><title>Just a moment...</title>",
    "akamai": b"<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>",
    "imperva": b'<html style="height:100%"><head><META NAME="ROBOTS" CONTENT="NOINDEX, NOFOLLOW">',
    "cloudfront": (
        b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">\n<HTML>'
        b"<H1>403 ERROR</H1><H2>The request could not be satisfied.</H2>Generated by cloudfront (CloudFront)</HTML>"
    ),
    "nginx": b"<html>\r\n<head><title>403 Forbidden</title></head>\r\n<center>nginx</center>",
    "anybody": b"<html><body>Forbidden</body></html>",
}


@pytest.mark.parametrize("name", WALLS)
def test_a_page_for_people_is_no_bucket_policy(name: str) -> None:
    """Whoever wrote it stands before the store, and has to let relying parties through."""
    refused = Fetched(DISCOVERY_URL, 403, WALLS[name], content_type="text/html")
    (finding, *_) = judge(Look((Read(refused, None),), NOW), expected()).findings
    assert finding.reason is Reason.AccessBlocked
    assert finding.message == f"{DISCOVERY_URL} answers 403."
    assert "GET of both paths through" in finding.advice
    assert "bucket" not in finding.sentence.lower()


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, Reason.DocumentNotFound), (502, Reason.UnexpectedStatus), (503, Reason.UnexpectedStatus)],
)
def test_a_page_for_people_says_nothing_where_nobody_is_refused(status: int, reason: Reason) -> None:
    """Every web server has one for what is not there, and for a back end that is away."""
    absent = Fetched(DISCOVERY_URL, status, WALLS["nginx"])
    (finding, *_) = judge(Look((Read(absent, None),), NOW), expected()).findings
    assert finding.reason is reason
    assert finding.advice == CATALOGUE[reason].hint


def test_an_endpoint_is_a_host_name() -> None:
    """What is repeated in a condition is no text that a stranger chose."""
    assert endpoint_of(S3_REDIRECT) == "example-oidc.s3.eu-central-1.amazonaws.com"
    assert endpoint_of(b"<Endpoint>evil.example.com/?a=b please</Endpoint>") == ""


def test_a_code_is_a_word() -> None:
    """What is repeated in a condition is no text that a stranger chose."""
    assert code_of(S3_DENIED) == "AccessDenied"
    assert code_of(b"<Code>Please visit https://evil.example.com</Code>") == ""
    assert code_of(b"<Code>" + b"A" * 65 + b"</Code>") == ""
