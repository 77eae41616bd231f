"""Telemetry: spans, metrics and log lines that tell one story, and the small tools to read it without a backend."""
