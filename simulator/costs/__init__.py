"""What a step costs, in closed form: compute, collectives, memory, input, energy, price. Formulas take arrays."""
