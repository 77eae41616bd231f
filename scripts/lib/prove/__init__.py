"""The proof: simulation, crash points and faults on real servers, and a checker of the stores afterwards."""
