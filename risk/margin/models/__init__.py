"""The margin models a rulebook can name, one file each."""
