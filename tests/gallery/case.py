"""What a case of the gallery is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from oidc_publisher.findings import Reason
from tests.gallery.place import Place

Fault = Callable[[Place], None]


class Verdict(StrEnum):
    """What the probe says of the issuer, and with it the condition Served."""

    REFUSED = "refused"  # Served is False
    WARNED = "warned"  # Served stays True
    UNKNOWN = "unknown"  # nothing is said about the issuer


@dataclass(frozen=True, slots=True)
class Case:
    """An issuer that is broken in one way.

    `broken` is what is broken, as half a sentence. `reason` is the finding that names it, `also` are the findings that
    the same fault brings along. `without_plan` is what a reader says who does not know what was published (None: the
    same). `timeout_s` is the probe's, short where it has to pass. `named`: the host has a name of its own in the
    gallery's name server; `host` replaces that name. `signer`: which of the issuer's keys signs the token that judges
    are shown, by default the RSA key.
    """

    name: str
    broken: str
    fault: Fault
    reason: Reason
    also: frozenset[Reason] = frozenset()
    verdict: Verdict = Verdict.REFUSED
    without_plan: frozenset[Reason] | None = None
    timeout_s: float = 5.0
    named: bool = False
    host: str = ""
    needs_ipv6: bool = False
    signer: int = 0

    @property
    def reasons(self) -> frozenset[Reason]:
        """Every reason that the probe gives, no other."""
        return self.also | {self.reason}

    @property
    def hostname(self) -> str:
        """The host of the issuer."""
        return self.host or (f"{self.name}.gallery.test" if self.named else "localhost")
