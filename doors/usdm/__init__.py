"""Binance's USD-M futures API: REST, streams and the API over WebSocket."""
