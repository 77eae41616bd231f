"""Writes the generated manifests, and checks all manifests without a cluster."""
