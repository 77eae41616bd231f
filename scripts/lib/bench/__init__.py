"""Benchmarks. They compare Treaty with simple servers for the same work, in one run on one machine."""
