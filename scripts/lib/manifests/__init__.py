"""What scripts/manifests writes, and what it finds wrong without a cluster."""
