"""Training as time passes: steps, pipelines, synchronisation."""
