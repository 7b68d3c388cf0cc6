"""Places for the two documents: one port, written by compare-and-swap, and an implementation per kind of place."""

from oidc_publisher.stores.port import Distribution, Document, Store, StoredDocument

__all__ = ["Distribution", "Document", "Store", "StoredDocument"]
