"""Known texts of Rust, Envoy, and the hosts that serve an issuer."""

from __future__ import annotations

from oidc_publisher.relyingparties.texts.knowntext import KnownText
from oidc_publisher.relyingparties.texts.knowntext import RefusalCause as Cause
from oidc_publisher.relyingparties.texts.knowntext import SettlingCheck as Check

ELSEWHERE = (
    KnownText(
        name="rust-algorithm",
        party="jsonwebtoken for Rust",
        text="Error(InvalidAlgorithm)",
        causes=(Cause.ALGORITHM,),
        checks=(Check.ALGORITHM,),
        meaning="The token's algorithm is not in the program's list, or the key has another type.",
        advice="Add the algorithm to Validation; ES512 is not supported by this library.",
        sources=("https://github.com/Keats/jsonwebtoken/blob/HEAD/src/errors.rs",),
    ),
    KnownText(
        name="openidconnect-rs-parse",
        party="openidconnect for Rust",
        text="Failed to parse server response",
        causes=(Cause.UNREADABLE,),
        checks=(
            Check.DOCUMENTS,
            Check.WIRE,
        ),
        meaning="A document lacks authorization_endpoint or keys, or is HTML, or the URL redirects; it does not say which document.",
        advice="Print the whole chain of errors, and verify the issuer.",
        sources=(
            "https://github.com/ramosbugs/openidconnect-rs/issues/201",
            "https://github.com/rustfs/rustfs/issues/7330",
        ),
    ),
    KnownText(
        name="openidconnect-rs-issuer",
        party="openidconnect for Rust",
        text="unexpected issuer URI `{issuer}`",
        causes=(Cause.ISSUER,),
        checks=(Check.ISSUER,),
        meaning="The `issuer` of the discovery document is not the URL that the program was given: mostly a trailing slash.",
        advice="Give the program exactly the document's issuer.",
        sources=("https://github.com/wealthfolio/wealthfolio/issues/1239",),
    ),
    KnownText(
        name="envoy-no-key",
        party="Envoy and Istio",
        text="Jwks doesn't have key to match kid or alg from Jwt",
        causes=(
            Cause.KID,
            Cause.ALGORITHM,
            Cause.STALE,
            Cause.UNREADABLE,
        ),
        checks=(
            Check.KID,
            Check.DOCUMENTS,
        ),
        meaning="Envoy has no key that fits, and does not fetch again because of an unknown kid. Under Istio, istiod puts in a false key (kid `abc`) when it cannot fetch the set itself.",
        advice="Look at the proxy's config dump: kid `abc` means that istiod could not fetch.",
        sources=(
            "https://github.com/envoyproxy/gateway/issues/4180",
            "https://github.com/envoyproxy/envoy/issues/24785",
        ),
    ),
    KnownText(
        name="envoy-fetch",
        party="Envoy and Istio",
        text="Jwks remote fetch is failed",
        causes=(
            Cause.UNREADABLE,
            Cause.TLS,
            Cause.EGRESS,
        ),
        checks=(
            Check.DOCUMENTS,
            Check.NETWORK,
        ),
        meaning="The proxy could not fetch the key set, from its own point of view: its cluster, SNI, authority or mesh policy.",
        advice="Fetch the key set from the proxy's pod, and compare with a fetch from outside.",
        sources=(
            "https://github.com/envoyproxy/envoy/issues/41891",
            "https://github.com/istio/istio/issues/45138",
        ),
    ),
    KnownText(
        name="s3-denied",
        party="S3",
        text="<Code>AccessDenied</Code>",
        causes=(
            Cause.STORE,
            Cause.STATUS,
        ),
        checks=(Check.DOCUMENTS,),
        meaning="The object is not public, or it does not exist while the reader may not list the bucket.",
        advice="Look at the bucket's policy and at Block Public Access; upload the object where it is missing.",
        sources=("https://github.com/kubernetes/kops/issues/15296",),
    ),
    KnownText(
        name="s3-permanent-redirect",
        party="S3 behind CloudFront",
        text="<Code>PermanentRedirect</Code>",
        causes=(Cause.STORE,),
        checks=(Check.DOCUMENTS,),
        meaning="CloudFront's origin is the bucket's global name, and the bucket is in another Region.",
        advice="Use the regional REST endpoint of the bucket as the origin.",
        sources=("https://github.com/openshift/cloud-credential-operator/issues/468",),
    ),
    KnownText(
        name="s3-acl",
        party="S3",
        text="AccessControlListNotSupported",
        causes=(Cause.STORE,),
        checks=(Check.PROVIDER,),
        meaning="A writer sends an ACL to a bucket in which ACLs are switched off.",
        advice="Send no ACL; a bucket policy makes the two objects public.",
        sources=("https://github.com/anacronw/multer-s3/issues/161",),
    ),
    KnownText(
        name="gcs-anonymous",
        party="Google Cloud Storage",
        text="Anonymous caller does not have storage.objects.get access",
        causes=(
            Cause.STORE,
            Cause.STATUS,
        ),
        checks=(Check.DOCUMENTS,),
        meaning="The object is not public, or it does not exist; the store says the same for both.",
        advice="Grant roles/storage.objectViewer to allUsers on the two objects' bucket, and look whether the object exists.",
        sources=(
            "https://github.com/openai/glow/issues/60",
            "https://github.com/fsspec/gcsfs/issues/546",
        ),
    ),
    KnownText(
        name="azureblob-public",
        party="Azure Blob Storage",
        text="Public access is not permitted on this storage account",
        causes=(
            Cause.STORE,
            Cause.STATUS,
        ),
        checks=(
            Check.DOCUMENTS,
            Check.PROVIDER,
        ),
        meaning="The storage account forbids public access, the default since 2023.",
        advice="Allow it for the account, or use the account's static website.",
        sources=(
            "https://github.com/microsoft/AzureStorageExplorer/issues/4764",
            "https://github.com/openshift/cloud-credential-operator/issues/610",
        ),
    ),
    KnownText(
        name="cloudfront-signed",
        party="CloudFront",
        text="Missing Key-Pair-Id query parameter or cookie value",
        causes=(
            Cause.STORE,
            Cause.STATUS,
        ),
        checks=(Check.DOCUMENTS,),
        meaning="The distribution's behaviour restricts viewers to signed URLs.",
        advice="Add a behaviour for the two paths that does not restrict viewers.",
        sources=("https://github.com/jasonsims/aws-cloudfront-sign/issues/74",),
    ),
)
