"""Judge a token's claims by what a role's owner wrote: AWS trust policies, GCP conditions, Entra credentials. Pure."""

from oidc_publisher.relyingparties.roletrust.documents import judge_role_trust
from oidc_publisher.relyingparties.roletrust.judged import NoRoleTrustError, Presented, RoleTrust, TrustCondition

__all__ = ["NoRoleTrustError", "Presented", "RoleTrust", "TrustCondition", "judge_role_trust"]
