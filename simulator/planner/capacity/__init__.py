"""How much to own, to reserve and to rent by the hour, of what, and in which region."""
