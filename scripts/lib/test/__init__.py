"""The test runner: scripts/test."""
