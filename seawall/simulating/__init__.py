"""The simulator's loop: the market it opens, its agenda and its result."""
