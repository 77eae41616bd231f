"""What the checking scripts share: each module finds faults of one kind and returns them as sentences."""
