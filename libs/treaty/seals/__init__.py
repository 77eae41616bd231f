"""Tamper evidence: seals over the commits of a context, and their verification."""
