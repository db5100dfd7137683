"""Reading data as time passes: shards, storage tiers, loaders, caches."""
