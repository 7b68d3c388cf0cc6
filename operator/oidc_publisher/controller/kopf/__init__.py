"""Receive events of OIDCIssuers from kopf. No other package imports kopf, and nothing else of kopf is used."""
