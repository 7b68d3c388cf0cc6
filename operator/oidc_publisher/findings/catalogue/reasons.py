"""The reasons of this product stand in the order in which one causes the next.

A reason is at once the condition's reason, the event's reason, a metric's label, the text of the command line and the
anchor of its runbook. The order of the members is the order of causes: read, plan, publish, prove, report.
"""

from __future__ import annotations

from enum import StrEnum, auto


class Reason(StrEnum):
    """A Reason is one word for one thing that can be wrong; the value is the word itself."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:  # noqa: ARG004 - enum's protocol
        return name

    # read → KeysRead
    SpecUnsupported = auto()
    APIServerUnreachable = auto()
    APIServerCertificateInvalid = auto()
    EndpointGone = auto()
    KubeconfigRefused = auto()
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
    ProxyNotAllowed = auto()
    ProxyBreaksTLS = auto()
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
    SecondOperator = auto()
    PassesLate = auto()
    EventsForbidden = auto()
    Suspended = auto()
    BeingDeleted = auto()
    WaitingForOperator = auto()
    Progressing = auto()
    Proven = auto()
    ProvenWithoutToken = auto()
    Succeeded = auto()
    # managed keys → Ready of SigningKeyRing
    RingUnreadable = auto()
    RingReplaced = auto()
    RingBehind = auto()
    VersionConflict = auto()
    ManagedRotationBlocked = auto()
    SignerSilent = auto()
    WaitingForSigner = auto()
    # events only
    DriftRepaired = auto()
    DocumentsAdopted = auto()
    StoreChanged = auto()
    DocumentsDeleted = auto()
    DocumentsLeft = auto()
    LedgerRebuilt = auto()
    KeySafe = auto()
    KeyRetired = auto()
