"""How long one iteration of an inference engine takes, and how much cache is left beside the weights."""
