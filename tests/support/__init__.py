"""Real servers for the live tests: a control plane, an S3 server, an edge that misbehaves on demand."""
