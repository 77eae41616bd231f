"""HTTP at the edge: webhooks of other systems."""
