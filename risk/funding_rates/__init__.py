"""The ways from premium to funding rate a rulebook can name, one file each."""
