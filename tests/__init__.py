"""The tests of oidc-publisher."""
