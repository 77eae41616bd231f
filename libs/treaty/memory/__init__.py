"""The ports in memory, for tests, simulation and embedded runs. They pass the same suites as the real adapters."""
