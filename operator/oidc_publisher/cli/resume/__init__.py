"""`oidc-publisher resume`: it lets the operator go on with a suspended issuer."""
