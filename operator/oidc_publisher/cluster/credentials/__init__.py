"""Load credentials for the API server with kubernetes.config, and renew them."""
