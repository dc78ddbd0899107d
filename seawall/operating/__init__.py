"""The operator's commands: up, admin, backup, skip, liveness."""
