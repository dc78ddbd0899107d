"""Benchmarks: how fast the exchange is, measured the same way compiled and interpreted."""
