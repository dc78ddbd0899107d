"""The lab: studies of runs, many runs and what-if questions."""
