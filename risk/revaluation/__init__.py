"""New prices and funding applied to accounts."""
