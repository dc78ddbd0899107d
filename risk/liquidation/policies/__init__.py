"""The close policies a rulebook can name, one file each."""
