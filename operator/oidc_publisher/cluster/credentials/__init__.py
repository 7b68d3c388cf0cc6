"""Credentials for the API server, loaded by kubernetes.config and renewed."""
