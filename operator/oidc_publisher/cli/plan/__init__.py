"""`oidc-publisher plan`: what the operator would write for a manifest, without writing anything."""
