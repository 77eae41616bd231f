"""MongoDB behind the ports of the core. Every call of a driver is in this package."""
