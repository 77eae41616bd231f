"""Media: pictures, the licenses to use them, and the cases that follow from uses without a right."""
