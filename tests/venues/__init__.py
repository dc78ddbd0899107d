"""Venue formulas worked by hand, as each venue's own page states them: oracles for the engine.

Prices, sizes and money are `fractions.Fraction` in whole units; the engine works in integer quanta
and is tested to agree. `funding` is in the engine's own integers. ``side`` is +1 for a long or
buy, -1 for a short or sell.
"""
