"""What the fund gets of a fill of a liquidation order, one file each."""
