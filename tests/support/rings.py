"""Rings of signing keys for tests, of real keys, and copies of them as restores and delays leave them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import strategies as st

from oidc_publisher.keys import PublicKey
from oidc_publisher.signer.ring import IssuerView, KeyView, PrivateHalf, Ring, RingIntent, RingKey, Sight, Tombstone

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LINEAGE = "one"
#: How many keys the copies of one ring share in a generated history.
POOL = 5


@cache
def pair(seed: int) -> tuple[PublicKey, PrivateHalf]:
    """The P-256 key pair of this seed (1, 2, ...), the same in every run."""
    private = ec.derive_private_key(seed, ec.SECP256R1())
    der = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return PublicKey.of(private.public_key()), PrivateHalf(der)


def ring_key(
    number: int,
    *,
    seed: int = 0,
    signed: datetime | None = None,
    verify_only: datetime | None = None,
    imported: bool = False,
) -> RingKey:
    """A version that can sign, made an hour before NOW; its key is that of the seed, or else of its number."""
    public, private = pair(seed or number)
    kept = None if verify_only else private
    return RingKey(
        number, public, NOW - HOUR, kept, imported=imported, signed_time=signed, verify_only_time=verify_only
    )


def key_id(seed: int) -> str:
    """The kid of the key of this seed."""
    return pair(seed)[0].key_id


def ring_of(*keys: RingKey, highest: int = 0, gone: tuple[Tombstone, ...] = ()) -> Ring:
    """A ring of these versions."""
    return Ring(LINEAGE, 1, highest, keys, gone)


_TIMES = st.integers(0, 4).map(lambda hours: NOW + hours * HOUR)


@st.composite
def _key(draw: st.DrawFn, seed: int) -> RingKey:
    public, private = pair(seed)
    verify_only = draw(st.none() | _TIMES)
    kept = None if verify_only else draw(st.sampled_from((private, private, None)))
    return RingKey(
        draw(st.integers(1, 4)),
        public,
        draw(_TIMES),
        kept,
        imported=draw(st.booleans()),
        signed_time=draw(st.none() | _TIMES),
        verify_only_time=verify_only,
    )


@st.composite
def copies(draw: st.DrawFn) -> Ring:
    """Any copy of the ring, also one in which numbers are taken twice: whatever a fault may leave."""
    members = [draw(st.sampled_from(("absent", "live", "live", "gone"))) for _ in range(POOL)]
    keys = tuple(draw(_key(seed)) for seed, kind in enumerate(members, 1) if kind == "live")
    stones = tuple(
        Tombstone(draw(st.integers(1, 4)), key_id(seed), withdrawn=draw(st.booleans()))
        for seed, kind in enumerate(members, 1)
        if kind == "gone"
    )
    return Ring(LINEAGE, draw(st.integers(0, 3)), draw(st.integers(0, 6)), keys, stones)


def issuer(
    *safe: int,
    signing: tuple[int, ...] = (),
    lists: tuple[int, ...] = (),
    proven: datetime = NOW,
    name: str = "prod",
    trouble: str = "",
    unlisted: dict[int, tuple[str, ...]] | None = None,
) -> IssuerView:
    """An issuer proven at NOW; its ledger has the keys of the seeds in `safe`, safe to sign with, and in `lists`, not so."""
    lacking = unlisted or {}
    keys = tuple(
        KeyView(key_id(seed), seed in safe, lacking.get(seed, ()), frozenset({"default"}))
        for seed in dict.fromkeys((*safe, *lists))
    )
    signs = frozenset(key_id(seed) for seed in signing)
    return IssuerView(name, trouble, proven_time=proven, keys=keys, signing_key_ids=signs)


def sight(*issuers: IssuerView, signs: int | None = None, withdrawn: tuple[int, ...] = (), **members: Any) -> Sight:
    """What a signer sees at NOW that began an hour ago; `signs` is the seed of the key that it signed with last."""
    return Sight(
        members.pop("now", NOW),
        issuers,
        members.pop("intent", RingIntent()),
        frozenset(key_id(seed) for seed in withdrawn),
        key_id(signs) if signs else None,
        members.pop("evidence_since", NOW - HOUR),
        **members,
    )
