"""What the parties that verify tokens demand of an issuer, as data and as checks. Pure."""

from oidc_publisher.relyingparties.demands import DEMANDS, Demands
from oidc_publisher.relyingparties.rules import BrokenRule, ServedIssuer, broken_library_rules, broken_rules

__all__ = [
    "DEMANDS",
    "BrokenRule",
    "Demands",
    "ServedIssuer",
    "broken_library_rules",
    "broken_rules",
]
