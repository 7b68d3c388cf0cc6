"""`oidc-publisher plan`: it shows what the operator would write for a manifest, and writes nothing."""
