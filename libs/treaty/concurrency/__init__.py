"""Tasks: work in order for each key, and tasks that end together."""
