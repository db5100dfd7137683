"""Which machines, how many and how set keep a service's limits at least cost."""
