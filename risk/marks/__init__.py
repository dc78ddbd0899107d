"""The ways to make a mark price a rulebook can name, one file each."""
