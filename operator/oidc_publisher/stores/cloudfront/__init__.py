"""Invalidate and check an Amazon CloudFront distribution in front of a bucket."""
