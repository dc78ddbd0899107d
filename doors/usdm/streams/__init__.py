"""Streams: market data and the events of an account, to any number of subscribers."""
