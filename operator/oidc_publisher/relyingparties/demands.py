"""Define the demands of each relying party of the API beyond the demands that all of them share.

The shared demands (https, status 200, strict JSON, the issuer byte for byte, unique key IDs) are checked for every
issuer, and have reasons of their own in the catalogue. This module holds only the differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oidc_publisher.api import RelyingParty


@dataclass(frozen=True, slots=True)
class Demands:
    """Demands holds the demands of one relying party; None where the party states no limit.

    `public`: the party connects from the internet, trusts the public certificate authorities alone, and has no setting
    for another address or another CA.
    `algorithms`: the algorithms that the party accepts. `algorithms_certain` is False where its documentation names
    them, but a refusal of others has not been observed.
    `unknown_key_types`: the party uses the other keys of a set in spite of a key of an unknown type or curve.
    """

    public: bool = True
    issuer_max_length: int | None = None
    port_allowed: bool = True
    keys_per_type_max: int | None = None
    algorithms: frozenset[str] | None = None
    algorithms_certain: bool = True
    jwk_members: frozenset[str] | None = None
    unknown_key_types: bool = True


_RS_AND_ES = frozenset(f"{family}{bits}" for family in ("RS", "ES") for bits in (256, 384, 512))

DEMANDS: Mapping[RelyingParty, Demands] = {
    # IAM User Guide, "Create an OpenID Connect identity provider", and CreateOpenIDConnectProvider: a URL of 1 to 255
    # characters without a port number; 100 RSA and 100 EC keys at most; RS and ES with 256, 384 and 512. "Public": AWS
    # accepts another CA by the thumbprint that is registered with the provider, which the operator cannot see.
    RelyingParty.AWS: Demands(issuer_max_length=255, port_allowed=False, keys_per_type_max=100, algorithms=_RS_AND_ES),
    # Workload Identity Federation, "Configure OIDC": RS256 and ES256. An uploaded JWK set with x5c or x5t is refused
    # with "Input JWK is not in a valid json format". "Public": an uploaded set is never fetched and never renewed.
    RelyingParty.GCP: Demands(
        algorithms=frozenset({"RS256", "ES256"}),
        jwk_members=frozenset({"kty", "alg", "use", "kid", "n", "e", "x", "y", "crv"}),
    ),
    # Microsoft Entra, "Workload identity federation considerations": issuers of up to 600 characters, RS256 only.
    RelyingParty.AZURE: Demands(issuer_max_length=600, algorithms=frozenset({"RS256"}), algorithms_certain=False),
    # Measured with kube-apiserver 1.36 and with Vault: go-jose drops the whole set because of one unknown kty or curve.
    # An admin runs both, and can set a CA: certificateAuthority of AuthenticationConfiguration (--oidc-ca-file),
    # oidc_discovery_ca_pem of auth/jwt.
    RelyingParty.KUBERNETES: Demands(public=False, unknown_key_types=False),
    RelyingParty.VAULT: Demands(public=False, unknown_key_types=False),
}
