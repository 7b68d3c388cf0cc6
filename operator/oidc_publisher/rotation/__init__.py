"""Apply the rotation rules R1 to R15 (docs/explanation/rotation.md) to the ledger of keys. Pure: no I/O, no clock."""

from oidc_publisher.rotation.advance import Advance, advance, begin_write
from oidc_publisher.rotation.cacheages import UNSTATED_AGE
from oidc_publisher.rotation.clock import COARSE, clock_trusted, coarse, coarse_phase, whole_second
from oidc_publisher.rotation.ledger import CacheAge, Endpoint, Ledger, LedgerKey, Origin, State, state
from oidc_publisher.rotation.readings import (
    ClockReading,
    Listing,
    Mint,
    Mints,
    Pass,
    Policy,
    ServerListing,
    SourceReading,
    StoredReading,
    StoreState,
    TakeOver,
    WireReading,
)
from oidc_publisher.rotation.rebuild import OwnWrites, own_writes, same_writes
from oidc_publisher.rotation.signing import signing_key_ids

__all__ = [
    "COARSE",
    "UNSTATED_AGE",
    "Advance",
    "CacheAge",
    "ClockReading",
    "Endpoint",
    "Ledger",
    "LedgerKey",
    "Listing",
    "Mint",
    "Mints",
    "Origin",
    "OwnWrites",
    "Pass",
    "Policy",
    "ServerListing",
    "SourceReading",
    "State",
    "StoreState",
    "StoredReading",
    "TakeOver",
    "WireReading",
    "advance",
    "begin_write",
    "clock_trusted",
    "coarse",
    "coarse_phase",
    "own_writes",
    "same_writes",
    "signing_key_ids",
    "state",
    "whole_second",
]
