"""How many replicas there should be, decided while the fleet runs, and what starting one takes."""
