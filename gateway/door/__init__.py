"""Clients' frames in; answers, private events and market data out."""
