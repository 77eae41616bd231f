"""Work of one key in order, and tasks that end together."""
