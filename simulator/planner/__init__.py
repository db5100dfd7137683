"""What chooses: the space, its constraints, objectives, search and the recommendation."""
