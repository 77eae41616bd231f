"""The customer aggregate, and the rules by which a tier is earned."""
