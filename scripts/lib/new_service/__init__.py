"""Writes a new bounded context that is small, complete and tested, as a start for a person's own context."""
