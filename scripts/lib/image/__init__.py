"""Builds and runs the image of k8s/Dockerfile."""
