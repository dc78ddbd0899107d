"""A scenario as a living market: its agents, traders and index trade on the running services."""
