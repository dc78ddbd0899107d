"""`seawall watch`: the running exchange on a terminal."""
