"""The use cases of Catalog: products with their reviews, categories, and the authors of reviews."""
