"""Provide real servers for the live tests: a control plane, an S3 server, an edge with faults on demand."""
