"""Store the documents in a bucket of Google Cloud Storage."""
