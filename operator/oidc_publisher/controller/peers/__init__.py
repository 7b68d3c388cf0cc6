"""Notice which other shards are down, by the Lease that each of them renews."""
