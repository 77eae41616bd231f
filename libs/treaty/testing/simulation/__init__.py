"""Simulation: whole contexts in one thread, with virtual time, seeded scheduling and injected faults.

A seed reproduces a run exactly if PYTHONHASHSEED is fixed.
"""

from treaty.testing.simulation.cluster import Cluster, Unanswered
from treaty.testing.simulation.faults import Rates
from treaty.testing.simulation.loop import Deadlock, SimulatedLoop, simulate

__all__ = ["Cluster", "Deadlock", "Rates", "SimulatedLoop", "Unanswered", "simulate"]
