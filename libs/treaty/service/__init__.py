"""A context, declared: what it is built from, and what it consists of."""
