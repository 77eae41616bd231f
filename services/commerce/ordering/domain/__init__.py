"""Orders, what they cost, and what Ordering knows of products and customers."""
