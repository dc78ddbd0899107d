"""Margin levels: who is called, whose deadline is over, what collateral is exchanged."""
