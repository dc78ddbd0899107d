"""What a door remembers: orders, fills, income, trades and candles, in one SQLite file."""
