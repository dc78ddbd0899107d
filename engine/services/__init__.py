"""Components as processes: batches, rounds, settings and shards."""
