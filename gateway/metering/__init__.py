"""Prometheus metrics: names, counts, and where they come from."""
