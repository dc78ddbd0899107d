"""Equity and requirements of an account, and what an order would make of them."""
