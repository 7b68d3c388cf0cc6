"""Serve metrics for Prometheus. No other package imports prometheus_client, and this one is imported only where metrics are on."""
