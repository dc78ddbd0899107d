"""The prices auto-deleveraging can close at, one file each."""
