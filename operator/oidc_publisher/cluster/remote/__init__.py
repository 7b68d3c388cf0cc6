"""Ask a remote cluster whose kubeconfig is in a Secret of the operator's own cluster."""

from oidc_publisher.cluster.remote.clusters import Lease, RemoteClusterError, RemoteClusters

__all__ = ["Lease", "RemoteClusterError", "RemoteClusters"]
