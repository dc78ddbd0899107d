"""The rankings of auto-deleveraging a rulebook can name, one file each."""
