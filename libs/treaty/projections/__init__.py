"""Read models: pure functions from events to rows, and the views that queries see."""
