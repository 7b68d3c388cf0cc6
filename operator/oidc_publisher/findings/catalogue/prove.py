"""The entries of prove describe why relying parties cannot read the documents (Served) or accept tokens (TokenAccepted)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue.entry import ConditionType, Entry, Severity
from oidc_publisher.findings.catalogue.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_C, _W = Severity.CRITICAL, Severity.WARNING
_SERVED, _TOKEN = ConditionType.SERVED, ConditionType.TOKEN_ACCEPTED

PROVE: Mapping[Reason, Entry] = {
    # prove, the documents
    Reason.ProbeUnavailable: Entry(
        _SERVED,
        _W,
        "The operator itself has no network to look from.",
        "Mend its DNS and egress; nothing is said about the issuer until then.",
        unknown=True,
    ),
    Reason.ProxyNotAllowed: Entry(
        _SERVED,
        _W,
        "The operator may not use the proxy that the object names.",
        "Start the operator with --probe-proxy, or take spec.probe.proxyURL out.",
        unknown=True,
        stalled=True,
    ),
    Reason.ProxyBreaksTLS: Entry(
        _SERVED,
        _W,
        "A proxy between the operator and the issuer's host breaks TLS open.",
        "Let the proxy pass TLS to this host through unopened: what relying parties see of its certificate is not known until "
        "then. Where the host's own CA is private, name it in probe.certificateAuthority.",
        unknown=True,
    ),
    Reason.NameNotResolved: Entry(
        _SERVED,
        _C,
        "The issuer's host name does not resolve.",
        "Create the DNS record.",
    ),
    Reason.PrivateAddress: Entry(
        _SERVED,
        _C,
        "The issuer resolves to a private address, which clouds cannot reach.",
        "Publish on a public address, or set probe.allowPrivateAddress for a private set-up whose probe.relyingParties are "
        "no clouds.",
    ),
    Reason.ConnectionFailed: Entry(
        _SERVED,
        _C,
        "No connection to the issuer's host.",
        "Look whether the host is up and its port 443 open to the world.",
    ),
    Reason.TLSVersionUnsupported: Entry(
        _SERVED,
        _C,
        "The host does not speak TLS 1.2.",
        "Allow TLS 1.2 beside TLS 1.3.",
    ),
    Reason.CertificateExpired: Entry(
        _SERVED,
        _C,
        "The host's certificate is not valid now.",
        "Renew it.",
    ),
    Reason.CertificateNameMismatch: Entry(
        _SERVED,
        _C,
        "The host's certificate is for another name.",
        "Use a certificate for the issuer's host (dots in an S3 bucket's name break the wildcard).",
    ),
    Reason.CertificateChainIncomplete: Entry(
        _SERVED,
        _C,
        "The host does not send its intermediate certificate.",
        "Configure the full chain.",
    ),
    Reason.CertificateUntrusted: Entry(
        _SERVED,
        _C,
        "The host's certificate comes from a CA that relying parties do not trust.",
        "Use a public CA, or name the private one in probe.certificateAuthority and register it with the relying parties "
        "(no cloud takes one).",
    ),
    Reason.CertificateExpiring: Entry(
        _SERVED,
        _W,
        "The host's certificate ends soon.",
        "Renew it.",
    ),
    Reason.TooSlow: Entry(
        _SERVED,
        _C,
        "The documents take longer than relying parties wait.",
        "STS gives up after 5 s: look at the host, or put a CDN in front.",
    ),
    Reason.Redirected: Entry(
        _SERVED,
        _C,
        "The host redirects; relying parties do not follow.",
        "Serve the documents at the issuer URL itself.",
    ),
    Reason.AccessBlocked: Entry(
        _SERVED,
        _C,
        "The host refuses anonymous readers.",
        "Allow public read of the two objects (bucket policy and Block Public Access, or the CDN's origin access).",
    ),
    Reason.DocumentNotFound: Entry(
        _SERVED,
        _C,
        "The host answers 404.",
        "Compare issuerURL with the bucket, prefix and CDN path that serve it.",
    ),
    Reason.UnexpectedStatus: Entry(
        _SERVED,
        _C,
        "The host answers with a status other than 200.",
        "Look at the host; relying parties accept 200 only.",
    ),
    Reason.DocumentInvalid: Entry(
        _SERVED,
        _C,
        "What is served is not strict JSON.",
        "Often a CDN's error page or another site: look at what the URL shows.",
    ),
    Reason.IssuerMismatch: Entry(
        _SERVED,
        _C,
        "The served discovery document names another issuer.",
        "Look which place the host serves; issuer strings are compared byte for byte.",
    ),
    Reason.JWKSURIInvalid: Entry(
        _SERVED,
        _C,
        "The served jwks_uri is not the one published.",
        "Look which place the host serves.",
    ),
    Reason.AlgorithmsIncomplete: Entry(
        _SERVED,
        _C,
        "The served document does not advertise the algorithm of every key.",
        "Look which copy the host serves; verifiers refuse algorithms that are not advertised.",
    ),
    Reason.KeySetInvalid: Entry(
        _SERVED,
        _C,
        "The served key set holds something that makes verifiers drop it.",
        "Look who writes there; the message names the member.",
    ),
    Reason.StaleCopy: Entry(
        _SERVED,
        _C,
        "An older key set is still served.",
        "Wait for its max-age, or purge the CDN.",
    ),
    Reason.DifferentKeysServed: Entry(
        _SERVED,
        _C,
        "The served key set is not the published one.",
        "Look which place the host serves.",
    ),
    Reason.AnswersDisagree: Entry(
        _SERVED,
        _C,
        "Repeated reads give different documents.",
        "Look for CDN edges or back ends that serve different copies.",
    ),
    Reason.RelyingPartyRuleBroken: Entry(
        _SERVED,
        _C,
        "A relying party's rule is broken.",
        "The message names the party and its rule.",
    ),
    Reason.HeadersWrong: Entry(
        _SERVED,
        _W,
        "A document is served with a Content-Type that some relying parties refuse.",
        "Serve application/json.",
    ),
    Reason.CacheControlWrong: Entry(
        _SERVED,
        _W,
        "Cache-Control on the wire is not the published one.",
        "Let the host pass Cache-Control through: without it verifiers cache for up to 24 h.",
    ),
    # prove, the tokens
    Reason.TokenRequestForbidden: Entry(
        _TOKEN,
        _W,
        "The operator may not mint a token for the probe's ServiceAccount.",
        "Allow create on serviceaccounts/token of that one ServiceAccount.",
        unknown=True,
    ),
    Reason.TokenRequestFailed: Entry(
        _TOKEN,
        _W,
        "An API server minted no token.",
        "Look at the message; the ServiceAccount of --probe-service-account must exist.",
        unknown=True,
    ),
    Reason.WrongIssuerInToken: Entry(
        _TOKEN,
        _C,
        "The cluster's tokens carry another issuer.",
        "Set --service-account-issuer of every API server to spec.issuerURL, byte for byte. Where it is given several times, "
        "make this one the first: tokens carry the first, and the others are merely accepted.",
        stalled=True,
    ),
    Reason.SigningKeyNotServed: Entry(
        _TOKEN,
        _C,
        "A fresh token is signed by a key that is not served.",
        "Add the public half of the signing key to --service-account-key-file, or wait until the new set is served.",
    ),
    Reason.SignatureInvalid: Entry(
        _TOKEN,
        _C,
        "A fresh token does not verify against the served key of its key ID.",
        "Two keys share one key ID, or the signing key and its public half do not belong together.",
    ),
    Reason.TokenRejectedByAPIServer: Entry(
        _TOKEN,
        _C,
        "An API server rejects the token it has just minted.",
        "The public half of its signing key is missing in --service-account-key-file.",
        stalled=True,
    ),
    Reason.TokenRejectedByPeer: Entry(
        _TOKEN,
        _C,
        "An API server refuses tokens that another one of the cluster mints.",
        "Add the public half of that key to --service-account-key-file of the one that refuses, and restart it; sign with "
        "the former key meanwhile if you can.",
        stalled=True,
    ),
    Reason.TokenOutlivesPolicy: Entry(
        _TOKEN,
        _W,
        "The cluster grants tokens that outlive rotation.maxTokenLifetime.",
        "Set --service-account-max-token-expiration, or raise rotation.maxTokenLifetime.",
    ),
    Reason.AudienceShared: Entry(
        _TOKEN,
        _W,
        "An audience of the probe is among --api-audiences.",
        "Take it out: every default pod token would be accepted there, for up to one year.",
    ),
}
