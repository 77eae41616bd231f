"""Products with their prices, the categories they stand in, and reviews of them: they know each other by id."""
