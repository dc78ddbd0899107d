"""Who may come in, and who was refused what."""
