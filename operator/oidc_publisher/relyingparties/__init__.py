"""Define the demands of relying parties on an issuer, as data and as checks. Pure."""

from oidc_publisher.relyingparties.demands import DEMANDS
from oidc_publisher.relyingparties.rules import ServedIssuer, applied_rules, broken_library_rules, broken_rules

__all__ = [
    "DEMANDS",
    "ServedIssuer",
    "applied_rules",
    "broken_library_rules",
    "broken_rules",
]
