"""Amazon CloudFront before a bucket."""
