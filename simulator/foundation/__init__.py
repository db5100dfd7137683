"""What every room stands on: errors, units, strict files, registries, random streams."""
