"""Payments of orders, and the ways in which customers pay."""
