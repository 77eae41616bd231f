"""Running contexts: followers and consumers, several contexts behind one port, and a process on real servers."""
