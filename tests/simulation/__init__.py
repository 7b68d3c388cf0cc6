"""The simulated world: a cluster, a bucket, a CDN, verifiers, and the program's own pass among them."""
