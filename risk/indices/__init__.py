"""The ways to make one index of several sources a rulebook can name, one file each."""
