"""The order book and the engine in front of it."""
