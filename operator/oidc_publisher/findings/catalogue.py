"""Every reason this product knows, in the order in which one causes the next.

A reason is at once the condition's reason, the event's reason, a metric's label, the text of the command line and the
anchor of its runbook. The order of the members is the order of causes: read, plan, publish, prove, report.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Severity(StrEnum):
    """How bad it is: Critical breaks relying parties or stops the work, Warning may, Info does not."""

    CRITICAL = "Critical"
    WARNING = "Warning"
    INFO = "Info"


class ConditionType(StrEnum):
    """The conditions of an OIDCIssuer; the five steps own four of them and the rotation owns SafeToSign."""

    READY = "Ready"
    KEYS_READ = "KeysRead"
    SAFE_TO_SIGN = "SafeToSign"
    PUBLISHED = "Published"
    SERVED = "Served"
    TOKEN_ACCEPTED = "TokenAccepted"  # noqa: S105 - a condition, not a password
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


#: The conditions that Ready follows, in the order of causes. SafeToSign is not among them: it never moves Ready.
CONDITION_ORDER: tuple[ConditionType, ...] = (
    ConditionType.KEYS_READ,
    ConditionType.PUBLISHED,
    ConditionType.SERVED,
    ConditionType.TOKEN_ACCEPTED,
)


class Reason(StrEnum):
    """One word for each thing that can be wrong; the value is the word itself."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:  # noqa: ARG004 - enum's protocol
        return name

    # read → KeysRead
    SpecUnsupported = auto()
    APIServerUnreachable = auto()
    APIServerCertificateInvalid = auto()
    EndpointGone = auto()
    ClusterDiscoveryMissing = auto()
    SourceForbidden = auto()
    SourceNotFound = auto()
    SourceEmpty = auto()
    EntryUnreadable = auto()
    PrivateKeyInEntry = auto()
    KeyUnsupported = auto()
    KeyMaterialChanged = auto()
    VersionReused = auto()
    KeyUnknownToAPIServer = auto()
    # plan → SafeToSign
    SigningKeyUnknown = auto()
    SignedBeforeSafe = auto()
    SigningKeyUnlisted = auto()
    TooManyKeys = auto()
    ClockUntrusted = auto()
    RetirementBlocked = auto()
    RetirementOverdue = auto()
    KeyWithdrawn = auto()
    KeyUnlistedSomewhere = auto()
    KeyTypeChange = auto()
    PrePublishing = auto()
    PrePublishShort = auto()
    # publish → Published
    NoUsableKey = auto()
    EndpointNotAllowed = auto()
    CredentialsMissing = auto()
    AccessDenied = auto()
    BucketNotFound = auto()
    BucketOwnedByAnother = auto()
    WrongRegion = auto()
    KMSDenied = auto()
    ClockSkewed = auto()
    StoreUnavailable = auto()
    ConditionalWritesUnsupported = auto()
    DocumentsNotOurs = auto()
    DocumentsOfAnotherIssuer = auto()
    OwnershipLost = auto()
    InvalidationDenied = auto()
    DistributionMismatch = auto()
    # prove → Served
    ProbeUnavailable = auto()
    NameNotResolved = auto()
    PrivateAddress = auto()
    ConnectionFailed = auto()
    TLSVersionUnsupported = auto()
    CertificateExpired = auto()
    CertificateNameMismatch = auto()
    CertificateChainIncomplete = auto()
    CertificateUntrusted = auto()
    CertificateExpiring = auto()
    TooSlow = auto()
    Redirected = auto()
    AccessBlocked = auto()
    DocumentNotFound = auto()
    UnexpectedStatus = auto()
    DocumentInvalid = auto()
    IssuerMismatch = auto()
    JWKSURIInvalid = auto()
    AlgorithmsIncomplete = auto()
    KeySetInvalid = auto()
    StaleCopy = auto()
    DifferentKeysServed = auto()
    AnswersDisagree = auto()
    RelyingPartyRuleBroken = auto()
    HeadersWrong = auto()
    CacheControlWrong = auto()
    # prove → TokenAccepted
    TokenRequestForbidden = auto()
    TokenRequestFailed = auto()
    WrongIssuerInToken = auto()
    SigningKeyNotServed = auto()
    SignatureInvalid = auto()
    TokenRejectedByAPIServer = auto()
    TokenRejectedByPeer = auto()
    TokenOutlivesPolicy = auto()
    AudienceShared = auto()
    # report → Ready
    InternalError = auto()
    Suspended = auto()
    WaitingForOperator = auto()
    Progressing = auto()
    Proven = auto()
    ProvenWithoutToken = auto()
    Succeeded = auto()
    # events only
    DriftRepaired = auto()
    DocumentsAdopted = auto()
    StoreChanged = auto()
    DocumentsDeleted = auto()
    DocumentsLeft = auto()
    LedgerRebuilt = auto()
    KeySafe = auto()
    KeyRetired = auto()


@dataclass(frozen=True, slots=True)
class Entry:
    """What the catalogue says of one reason.

    `unknown`: the condition becomes Unknown, not False, for the cause was not to be asked. `stalled`: only a person
    can mend it. `meaning` and `hint` are whole sentences: what it means, and what an admin does next.
    """

    condition: ConditionType
    severity: Severity
    meaning: str
    hint: str
    unknown: bool = False
    stalled: bool = False


_C, _W, _I = Severity.CRITICAL, Severity.WARNING, Severity.INFO
_READ, _PLAN, _PUBLISH = ConditionType.KEYS_READ, ConditionType.SAFE_TO_SIGN, ConditionType.PUBLISHED
_SERVED, _TOKEN, _READY = ConditionType.SERVED, ConditionType.TOKEN_ACCEPTED, ConditionType.READY

CATALOGUE: Mapping[Reason, Entry] = {
    # read
    Reason.SpecUnsupported: Entry(
        _READY,
        _C,
        "The object asks for something this version cannot do.",
        "Change the field that the message names, or run a version that supports it.",
        stalled=True,
    ),
    Reason.APIServerUnreachable: Entry(
        _READ,
        _W,
        "An API server did not answer.",
        "Look whether it runs and whether the operator can reach its address; the last good keys stay published.",
        unknown=True,
    ),
    Reason.APIServerCertificateInvalid: Entry(
        _READ,
        _W,
        "What answers at an API server's address has a certificate that the cluster's CA did not issue for it.",
        "Compare the CA in the operator's credentials with the API server's certificate, and look who listens there.",
        unknown=True,
    ),
    Reason.EndpointGone: Entry(
        _READ,
        _I,
        "An API server is no longer one of the issuer's: it has left the EndpointSlice default/kubernetes, or the spec.",
        "Nothing to do when it was removed on purpose; else look whether it is ready.",
    ),
    Reason.ClusterDiscoveryMissing: Entry(
        _READ,
        _C,
        "The API server serves no key set (404).",
        "Give it an https --service-account-issuer without query or fragment, and remove P-224 keys: one hides all.",
        stalled=True,
    ),
    Reason.SourceForbidden: Entry(
        _READ,
        _C,
        "The operator may not read a key source.",
        "Grant its ServiceAccount the right that the message names.",
        stalled=True,
    ),
    Reason.SourceNotFound: Entry(
        _READ,
        _C,
        "A key source does not exist.",
        "Create it, or correct its name in spec.keySources; its keys stay published meanwhile.",
    ),
    Reason.SourceEmpty: Entry(
        _READ,
        _C,
        "A key source was read and names no usable key.",
        "Restore its keys, or remove the source; nothing is delisted because of it.",
    ),
    Reason.EntryUnreadable: Entry(
        _READ,
        _W,
        "An entry of a key source holds no readable public key.",
        "Correct or remove the entry; the other entries are published.",
    ),
    Reason.PrivateKeyInEntry: Entry(
        _READ,
        _C,
        "An entry of a key source holds a private key.",
        "Remove it, treat the key as exposed, and name only public halves in entryPattern.",
        stalled=True,
    ),
    Reason.KeyUnsupported: Entry(
        _READ,
        _W,
        "A key is of a type that relying parties refuse; it is left out.",
        "Use RSA of at least 2048 bits, or EC on P-256, P-384 or P-521.",
    ),
    Reason.KeyMaterialChanged: Entry(
        _READ,
        _C,
        "One key ID stands for two different keys.",
        "Find who changed the key; give the new key its own key ID.",
        stalled=True,
    ),
    Reason.VersionReused: Entry(
        _READ,
        _I,
        "Two keys carry the same version number.",
        "Nothing to do where the platform reuses numbers after pruning (OpenShift does).",
    ),
    Reason.KeyUnknownToAPIServer: Entry(
        _READ,
        _W,
        "A key is listed by another source but by no API server.",
        "Add it to the API servers' key files before it signs; if nobody expects it, look who may write to that source.",
    ),
    # plan
    Reason.SigningKeyUnknown: Entry(
        _PLAN,
        _C,
        "An API server signs with a key that no source lists.",
        "Add the public half of its signing key to --service-account-key-file or to another key source.",
    ),
    Reason.SignedBeforeSafe: Entry(
        _PLAN,
        _C,
        "A key signed before every cache could know it.",
        "Some verifiers refuse its tokens until then; sign with the former key meanwhile if you can.",
    ),
    Reason.SigningKeyUnlisted: Entry(
        _PLAN,
        _W,
        "A key still signs but no source lists it; it is kept.",
        "Add its public half to --service-account-key-file of every API server.",
    ),
    Reason.TooManyKeys: Entry(
        _PLAN,
        _W,
        "There are more keys than relying parties take.",
        "Retire keys that no longer sign; some gateways take 10 keys, AWS takes 100 of a type.",
    ),
    Reason.ClockUntrusted: Entry(
        _PLAN,
        _W,
        "The operator's clock differs from the clocks of the API server, the store and the wire.",
        "Synchronise the clock of the node; no key becomes safe and none leaves until then.",
        unknown=True,
    ),
    Reason.RetirementBlocked: Entry(
        _PLAN,
        _W,
        "A key could not be confirmed as unused, so it stays.",
        "Make the source or endpoint that the message names readable.",
    ),
    Reason.RetirementOverdue: Entry(
        _PLAN,
        _W,
        "A key is past its retire time and still published.",
        "Look at the findings beside this one: something keeps a pass from being complete.",
    ),
    Reason.KeyWithdrawn: Entry(
        _PLAN,
        _W,
        "A key in rotation.withdrawnKeyIDs is still listed or still signs.",
        "Remove it from the API servers; tokens that it signs are refused by relying parties.",
    ),
    Reason.KeyUnlistedSomewhere: Entry(
        _PLAN,
        _W,
        "An API server does not list a key that others list, or may sign with: it would refuse the tokens of those that do.",
        "Add its public half to --service-account-key-file of the API servers named and restart them, or take it from the "
        "others where it is to go; do not sign with it until then.",
    ),
    Reason.KeyTypeChange: Entry(
        _PLAN,
        _I,
        "The first key of another type was published.",
        "Before it signs, restart relying parties that froze their algorithms at start (openidconnect-rs, Spring, jose).",
    ),
    Reason.PrePublishing: Entry(
        _PLAN,
        _I,
        "A key is not yet known to every cache.",
        "Do not sign with it before its safeSinceTime is in status.keys: `oidc-publisher wait NAME --safe-to-sign KID`.",
    ),
    Reason.PrePublishShort: Entry(
        _PLAN,
        _W,
        "The pre-publish period is shorter than two hours.",
        "Use 24h outside of tests: clouds keep key sets for an undocumented time.",
    ),
    # publish
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
    # prove, the documents
    Reason.ProbeUnavailable: Entry(
        _SERVED,
        _W,
        "The operator itself has no network to look from.",
        "Mend its DNS and egress; nothing is said about the issuer until then.",
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
    # report
    Reason.InternalError: Entry(
        _READY,
        _C,
        "The operator failed in a way it does not know.",
        "Read its log, and report it.",
        unknown=True,
    ),
    Reason.Suspended: Entry(
        _READY,
        _I,
        "spec.suspend is true: nothing is read, published or proven.",
        "Set spec.suspend to false to go on.",
        unknown=True,
    ),
    Reason.WaitingForOperator: Entry(
        _READY,
        _I,
        "No operator has looked at this object yet.",
        "Look whether the operator runs.",
        unknown=True,
    ),
    Reason.Progressing: Entry(
        _READY,
        _I,
        "The first pass is not finished.",
        "Wait a moment.",
        unknown=True,
    ),
    Reason.Proven: Entry(
        _READY,
        _I,
        "The issuer was read as a relying party reads it, and a fresh token of every API server verified.",
        "Nothing to do.",
    ),
    Reason.ProvenWithoutToken: Entry(
        _READY,
        _I,
        "The issuer was read as a relying party reads it; no API server is among the sources to mint a token.",
        "Nothing to do.",
    ),
    Reason.Succeeded: Entry(_READY, _I, "All checks of this condition passed.", "Nothing to do."),
    # events
    Reason.DriftRepaired: Entry(
        _PUBLISH,
        _I,
        "A stored document differed from the plan and was written again.",
        "Look who else writes to the bucket.",
    ),
    Reason.DocumentsAdopted: Entry(
        _PUBLISH,
        _I,
        "Documents that another owner wrote were taken over.",
        "Keys that were not in them are safe to sign with only when their safeSinceTime is in status.keys.",
    ),
    Reason.StoreChanged: Entry(
        _PUBLISH,
        _I,
        "The documents are published and proven at a new place; those at the former one are left as they are.",
        "Delete the former documents when nothing serves them any more.",
    ),
    Reason.DocumentsDeleted: Entry(
        _PUBLISH,
        _I,
        "The documents were deleted with their OIDCIssuer.",
        "Nothing to do; no relying party accepts a token of this issuer any more.",
    ),
    Reason.DocumentsLeft: Entry(
        _PUBLISH,
        _I,
        "The OIDCIssuer was deleted and documents were left as they are.",
        "Delete them by hand when no token of this issuer is in use any more.",
    ),
    Reason.LedgerRebuilt: Entry(
        _PLAN,
        _I,
        "The ledger was rebuilt from the stored documents.",
        "Nothing to do after a restore of the object or of etcd.",
    ),
    Reason.KeySafe: Entry(_PLAN, _I, "A key became safe to sign with.", "Sign with it when you are ready."),
    Reason.KeyRetired: Entry(_PLAN, _I, "A retired key left the published set.", "Nothing to do."),
}
