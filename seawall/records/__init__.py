"""What a run leaves: events, series, figures, and what it says against itself."""
