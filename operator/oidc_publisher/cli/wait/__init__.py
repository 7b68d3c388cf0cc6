"""`oidc-publisher wait`: it waits until an issuer is Ready, or until a key is safe to sign with."""
