"""The parts one can buy: devices, links, nodes, storage and prices, each figure with its source."""
