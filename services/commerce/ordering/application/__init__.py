"""The use cases of Ordering: orders, returns, and copies of products and customers."""
