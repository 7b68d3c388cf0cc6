"""Store the two documents by compare-and-swap: one port, and one implementation for each kind of store."""

from oidc_publisher.stores.port import Distribution, Document, Store, StoredDocument

__all__ = ["Distribution", "Document", "Store", "StoredDocument"]
