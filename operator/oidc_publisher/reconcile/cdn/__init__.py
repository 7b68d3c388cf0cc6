"""The CDN cache holds copies of the documents: `schedule` decides when to invalidate copies, `invalidator` asks for it."""
