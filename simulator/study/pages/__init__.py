"""Runs and comparisons as one page: the figures with their trust, what bounds them, and everything they rest on."""
