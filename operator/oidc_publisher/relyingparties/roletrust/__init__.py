"""Judge a token's claims by what a role's owner wrote: AWS trust policies, GCP conditions, Entra credentials. Pure."""

from oidc_publisher.relyingparties.roletrust.documents import MAX_ROLE_TRUST_BYTES, judge_role_trust
from oidc_publisher.relyingparties.roletrust.judged import NoRoleTrustError, Presented, RoleTrust, TrustCondition

__all__ = ["MAX_ROLE_TRUST_BYTES", "NoRoleTrustError", "Presented", "RoleTrust", "TrustCondition", "judge_role_trust"]
