"""What open orders were promised: reservations, and orders cut when cover is lost."""
