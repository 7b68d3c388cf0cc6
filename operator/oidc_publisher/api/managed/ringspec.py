"""Define spec of SigningKeyRing: which versions of the signing key are to exist."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from oidc_publisher.api.celrules import Between, Keyword, ListType, matches
from oidc_publisher.api.common import APIModel, Duration, Flag, ObjectName

#: No rule keeps a number from falling again: a typing error of 18 digits could never be taken back.
_Version = Annotated[
    str,
    Field(min_length=1, max_length=18),
    matches("^[1-9][0-9]*$", "must be a version: a decimal number of at most 18 digits, without leading zeros"),
]


class RingAlgorithm(StrEnum):
    """A RingAlgorithm is the JWS algorithm that a signing key is made for."""

    RS256 = "RS256"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"


class SigningKeyRingSpec(APIModel):
    """Which versions of the signing key are to exist. Every member may be left out."""

    algorithm: Annotated[RingAlgorithm, Keyword("maxLength", 5)] = RingAlgorithm.RS256
    """The algorithm of the next version. Versions that exist keep theirs. Before it is changed, find out whether every
    relying party takes the new one."""
    rotation_period: Annotated[Duration, Between("72h", "87600h")] | None = None
    """How long after the newest version was made the next one is made, and up to a tenth later. When absent, versions
    are made only by newestVersion. It is 72h at least, because a version needs two days and more until it is safe to
    sign with and its predecessor has retired."""
    newest_version: _Version | None = None
    """A version of this number or a newer one is to exist. Raise it by one to rotate. A number that exists already asks
    for nothing, so that a manifest in Git may keep it. A number that is more than one above the newest is taken for a
    typing error: it is reported, and nothing is made."""
    trim_before: _Version | None = None
    """Imported versions below this number may be forgotten once nothing needs them. Tokens without expiry, as in Secrets
    of type kubernetes.io/service-account-token, may need them for good. Other versions are forgotten by themselves."""
    issuers: Annotated[tuple[ObjectName, ...], Field(min_length=1, max_length=64), ListType("set")] | None = None
    """Names of the OIDCIssuers that a version waits for. When absent, it waits for every OIDCIssuer that reads this
    cluster's API servers. A suspended OIDCIssuer keeps every version waiting."""
    suspend: Flag = False
    """Whether nothing new begins: no version is made, no signer changes to another version, nothing is destroyed.
    Signing goes on. A withdrawn key goes nevertheless."""
