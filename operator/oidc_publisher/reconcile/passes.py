"""What a pass says about the next one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from oidc_publisher.cluster import ObjectReference


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass says about the next pass over its issuer.

    `wake_after` is when the answer may change by the clock alone. A `failed` pass comes again after its backoff, and
    never later than `wake_after`. `follows` are the objects whose change is worth a pass at once; None: as before.
    """

    wake_after: timedelta | None = None
    failed: bool = False
    follows: tuple[ObjectReference, ...] | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The object does not exist, or is another shard's: it is forgotten."""
