"""`oidc-publisher keys`: list the versions of the signing key, and ask for changes in SigningKeyRing."""
