"""The doors: how orders from outside reach the engine."""
