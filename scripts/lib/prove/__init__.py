"""The proof: simulation, crash points and faults on the real servers, and a checker of what is left behind."""
