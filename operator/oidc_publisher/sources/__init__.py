"""Read the cluster's public keys from key sources, behind one port."""

from oidc_publisher.sources.apiserver import APIServerSource
from oidc_publisher.sources.factory import open_sources
from oidc_publisher.sources.objects import WatchRights
from oidc_publisher.sources.port import Source, SourceResult
from oidc_publisher.sources.sharing import SharingCluster

__all__ = ["APIServerSource", "SharingCluster", "Source", "SourceResult", "WatchRights", "open_sources"]
