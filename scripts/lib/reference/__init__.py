"""Pages and rules that follow from the code."""
