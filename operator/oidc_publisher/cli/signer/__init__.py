"""`oidc-publisher signer`: the process beside each API server that signs ServiceAccount tokens."""
