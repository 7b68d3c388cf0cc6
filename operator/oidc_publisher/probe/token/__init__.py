"""Mint tokens through every API server, judge them, and find what API servers grant beyond the policy."""
