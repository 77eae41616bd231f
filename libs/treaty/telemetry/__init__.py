"""Telemetry: spans, metrics and log lines that share their ids, and small tools to read them without a backend."""
