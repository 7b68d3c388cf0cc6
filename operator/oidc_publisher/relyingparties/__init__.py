"""What the parties that verify tokens demand of an issuer, as data and as checks. Pure."""

from oidc_publisher.relyingparties.demands import DEMANDS
from oidc_publisher.relyingparties.rules import ServedIssuer, broken_library_rules, broken_rules

__all__ = [
    "DEMANDS",
    "ServedIssuer",
    "broken_library_rules",
    "broken_rules",
]
