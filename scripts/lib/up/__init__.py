"""Everything on this machine: servers, contexts, outside systems, sample data and events as they happen: scripts/up."""
