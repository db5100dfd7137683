"""The decision: parallelism, batch, pipeline schedule, placement, and the program they make."""
