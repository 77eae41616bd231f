"""The aggregates of Catalog: products with their prices, categories, and reviews. They refer to each other by id."""
