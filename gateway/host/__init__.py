"""The exchange as processes: its parts, clock, opening market and files."""
