"""`oidc-publisher status`: an issuer on one page."""
