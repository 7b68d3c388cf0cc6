"""`oidc-publisher status`: it shows an issuer on one page."""
