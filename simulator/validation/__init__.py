"""Published measurements held against predictions."""
