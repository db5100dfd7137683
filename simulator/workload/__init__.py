"""The demand, without hardware: models, operators, data, arrivals."""
