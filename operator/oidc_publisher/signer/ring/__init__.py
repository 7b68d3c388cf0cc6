"""Hold the versions of the signing key, and decide which one signs, which are listed and which are forgotten. Pure."""

from oidc_publisher.signer.ring.choosing import Choice, choose
from oidc_publisher.signer.ring.issuerview import IssuerView, KeyView, view_of
from oidc_publisher.signer.ring.joining import AnotherLineageError, Renumbered, join, settle
from oidc_publisher.signer.ring.making import Make
from oidc_publisher.signer.ring.ring import PrivateHalf, Ring, RingKey, Tombstone
from oidc_publisher.signer.ring.sight import Memory, RingIntent, RingObject, Sight

__all__ = [
    "AnotherLineageError",
    "Choice",
    "IssuerView",
    "KeyView",
    "Make",
    "Memory",
    "PrivateHalf",
    "Renumbered",
    "Ring",
    "RingIntent",
    "RingKey",
    "RingObject",
    "Sight",
    "Tombstone",
    "choose",
    "join",
    "settle",
    "view_of",
]
