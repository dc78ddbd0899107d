"""Realism: runs of scenarios beside the trades of the real contract, measure by measure."""
