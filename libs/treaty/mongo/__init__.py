"""MongoDB adapters for the ports of the core. All calls of a MongoDB driver are in this package."""
