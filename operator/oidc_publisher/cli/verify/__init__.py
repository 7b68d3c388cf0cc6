"""`oidc-publisher verify`: the operator's own probe from a terminal, for any issuer."""
