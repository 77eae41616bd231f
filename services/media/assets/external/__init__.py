"""The systems outside of the service: the processes that decode pictures."""
