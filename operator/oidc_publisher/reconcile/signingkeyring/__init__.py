"""What a pass takes from the SigningKeyRing of a cluster with managed keys: the names of versions, and warnings."""
