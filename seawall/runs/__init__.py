"""A run from a scenario to its directory, and its replay."""
