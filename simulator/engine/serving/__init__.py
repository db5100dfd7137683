"""Serving as time passes: gateway, queues, batching, caches, scaling."""
