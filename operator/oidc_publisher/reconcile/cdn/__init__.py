"""Copies of the documents at a CDN: when they are invalidated, and by whom."""
