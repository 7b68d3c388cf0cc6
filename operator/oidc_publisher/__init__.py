"""oidc-publisher: gives any Kubernetes cluster a public OIDC issuer and keeps it true."""

__version__ = "0.1.0"
