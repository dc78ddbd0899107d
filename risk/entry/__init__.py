"""What clients ask for: orders and their fills, transfers."""
