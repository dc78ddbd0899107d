"""Numbered, sealed and acknowledged connections between processes."""
