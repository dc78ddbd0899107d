"""Index, mark and funding as figures: from sources to rates."""
