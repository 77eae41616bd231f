"""Everything in memory: for tests, simulation and embedded runs. Behind the same ports, and true to the same rules."""
