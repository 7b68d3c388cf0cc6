"""`oidc-publisher run`: the operator."""
