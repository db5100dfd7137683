"""The wiring: clusters, fabric shapes, routing, bisection, sites."""
