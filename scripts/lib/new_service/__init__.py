"""Writes a new bounded context: small, complete and tested, to be turned into what it is to become."""
