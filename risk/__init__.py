"""Accounts, margin, marks, funding and the liquidation of accounts that fall short."""
