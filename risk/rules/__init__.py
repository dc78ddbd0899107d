"""What a rulebook may say: its checks and its tables."""
