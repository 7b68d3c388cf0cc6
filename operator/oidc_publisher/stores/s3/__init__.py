"""Store the documents in a bucket of Amazon S3, or of another server with S3's API."""
