"""Benchmarks: ratios against the same work done plainly, measured in one run on one machine."""
