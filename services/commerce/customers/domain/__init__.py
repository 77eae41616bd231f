"""Customers with their tiers, and the rules by which a tier is earned."""
