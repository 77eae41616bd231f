"""A context, alive: its followers and consumers, several contexts behind one port, a process on real servers."""
