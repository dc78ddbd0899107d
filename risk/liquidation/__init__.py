"""The default waterfall: what happens to an account that no longer meets its maintenance margin."""
