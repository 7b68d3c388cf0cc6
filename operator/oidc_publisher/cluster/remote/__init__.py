"""Ask a remote cluster whose kubeconfig is in a Secret of the operator's own cluster."""
