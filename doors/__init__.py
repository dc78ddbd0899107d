"""Doors: the exchange behind APIs that trading programs already speak, one room per venue."""
