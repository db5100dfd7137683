"""Continuous batching on many replicas behind a router; array kernels leap from one change of a batch to the next."""
