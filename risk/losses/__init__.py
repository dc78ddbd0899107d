"""Who bears a loss: the house, profitable positions, everybody."""
