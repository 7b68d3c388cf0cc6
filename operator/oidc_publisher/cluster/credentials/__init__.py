"""Load credentials for the API server (a kubeconfig's with kubernetes.config, those of a pod from its files), and renew them."""
