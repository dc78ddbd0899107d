"""Venue formulas: what each venue's own page says, to check the engine against.

Prices, sizes and money are `fractions.Fraction` in whole units; the engine itself works in integer
quanta and is tested to agree. `funding` and `mark` are in the engine's own integers. ``side`` is +1
for a long or buy, -1 for a short or sell.
"""
