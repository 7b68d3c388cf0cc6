"""Amazon S3 and servers that speak S3."""
