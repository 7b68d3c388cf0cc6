"""`oidc-publisher wait`: until an issuer is Ready, or a key is safe to sign with."""
