"""Orders that wait: for a price, or for the end of their time."""
